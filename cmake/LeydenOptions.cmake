# One language level, one set of warnings, one rule for floating point, for every target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

# -ffp-contract=off: an fma stands only where we write one, or the ISA levels would drift apart.
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Werror -ffp-contract=off)
if(LEYDEN_SANITIZE)
  add_compile_options(-fsanitize=${LEYDEN_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-subobject-linkage) # joined files (below) look like headers to it
  endif()
  add_link_options(-fsanitize=${LEYDEN_SANITIZE})
endif()
if(LEYDEN_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link -Wno-error) # g++ is who judges warnings
endif()

# leyden_room(NAME [APART] DEPENDS target... [EXTERNAL target...])
# One static library per room from all .cc files of the folder except .kernel.cc. Sanitized builds are
# made from nothing, and most of a file's time is its headers: there files are compiled by the dozen,
# which takes a third of the time. APART: unnamed namespaces of these files use the same names.
function(leyden_room name)
  cmake_parse_arguments(ROOM "APART" "" "SOURCES;DEPENDS;EXTERNAL" ${ARGN})
  if(NOT ROOM_SOURCES)
    file(GLOB ROOM_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
    list(FILTER ROOM_SOURCES EXCLUDE REGEX "\\.kernel\\.cc$")
  endif()
  add_library(${name} STATIC ${ROOM_SOURCES})
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
  target_link_libraries(${name} PUBLIC ${ROOM_DEPENDS} ${ROOM_EXTERNAL})
  if(LEYDEN_SANITIZE AND NOT ROOM_APART)
    set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 12)
  endif()
endfunction()
