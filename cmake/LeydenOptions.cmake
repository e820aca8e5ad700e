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
  add_link_options(-fsanitize=${LEYDEN_SANITIZE})
  if(LEYDEN_SANITIZE MATCHES address AND NOT LEYDEN_FUZZ)
    # What UBSan wants to say is full of addresses: relocating them is a third of a program's start,
    # and tests start it again and again.
    add_link_options(-no-pie)
  endif()
endif()
if(LEYDEN_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link -Wno-error) # g++ is who judges warnings
endif()

# leyden_join(NAME): compiles a target's files by the dozen. Most of a file's time is its headers, so a
# build from nothing takes half the processor time. Who edits files sets LEYDEN_JOIN_FILES=OFF (the
# preset debug does) and waits for one at a time.
if(LEYDEN_JOIN_FILES AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wno-subobject-linkage) # joined files look like headers to it
endif()
function(leyden_join name)
  set_target_properties(${name} PROPERTIES UNITY_BUILD ${LEYDEN_JOIN_FILES} UNITY_BUILD_BATCH_SIZE 12)
endfunction()

# leyden_room(NAME DEPENDS target... [EXTERNAL target...])
# One static library per room from all .cc files of the folder except .kernel.cc.
function(leyden_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;DEPENDS;EXTERNAL" ${ARGN})
  if(NOT ROOM_SOURCES)
    file(GLOB ROOM_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
    list(FILTER ROOM_SOURCES EXCLUDE REGEX "\\.kernel\\.cc$")
  endif()
  add_library(${name} STATIC ${ROOM_SOURCES})
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
  target_link_libraries(${name} PUBLIC ${ROOM_DEPENDS} ${ROOM_EXTERNAL})
  leyden_join(${name})
endfunction()
