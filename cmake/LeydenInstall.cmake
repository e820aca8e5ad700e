# `cmake --install`, the CMake package, the pkg-config file and `cpack`.
include(GNUInstallDirs)

# The rooms are one archive for other programs: libleyden.a, target leyden::leyden.
set(room_objects)
foreach(room leyden leyden_model leyden_runtime leyden_text leyden_formats leyden_quant leyden_simd)
  list(APPEND room_objects $<TARGET_OBJECTS:${room}>)
endforeach()
foreach(level ${LEYDEN_ISA_LEVELS})
  list(APPEND room_objects $<TARGET_OBJECTS:leyden_simd_${level}>)
endforeach()
add_library(leyden_package STATIC ${room_objects})
set_target_properties(leyden_package PROPERTIES OUTPUT_NAME leyden EXPORT_NAME leyden
                      LINKER_LANGUAGE CXX)
target_compile_features(leyden_package INTERFACE cxx_std_20)
target_link_libraries(leyden_package PUBLIC nlohmann_json::nlohmann_json fmt::fmt TBB::tbb
  PkgConfig::hwloc PkgConfig::xxhash PkgConfig::zstd PkgConfig::pcre2 Threads::Threads)
install(TARGETS leyden_package EXPORT leyden-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# install_public_headers(HEADER...): these headers and everything of the tree they include, as
# include/leyden/..., where src/engine.h becomes <leyden/engine.h> and the others keep their room.
function(install_public_headers)
  set(todo ${ARGN})
  set(done)
  while(todo)
    list(POP_FRONT todo header)
    list(APPEND done ${header})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${header})
    file(READ ${PROJECT_SOURCE_DIR}/${header} text)
    string(REGEX MATCHALL "\n#include \"[^\"]+\"" includes "\n${text}")
    list(TRANSFORM includes REPLACE "^\n#include \"([^\"]+)\"$" "\\1")
    list(APPEND todo ${includes})
    list(REMOVE_DUPLICATES todo)
    list(REMOVE_ITEM todo "" ${done})

    string(REGEX REPLACE "\n#include \"src/" "\n#include \"" text "\n${text}")
    string(REGEX REPLACE "\n#include \"" "\n#include \"leyden/" text "${text}")
    string(SUBSTRING "${text}" 1 -1 text)
    string(REGEX REPLACE "^src/" "" installed ${header})
    file(CONFIGURE OUTPUT include/leyden/${installed} CONTENT "${text}" @ONLY)
  endwhile()
  install(DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/include/leyden
          DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endfunction()
install_public_headers(src/chat.h src/engine.h src/generate.h src/session.h)

include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/leyden)
configure_file(cmake/leyden-config.cmake.in leyden-config.cmake @ONLY)
write_basic_package_version_file(leyden-config-version.cmake COMPATIBILITY SameMinorVersion)
file(RELATIVE_PATH prefix_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/leyden.pc.in leyden.pc @ONLY)
install(EXPORT leyden-targets NAMESPACE leyden:: DESTINATION ${package_dir})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/leyden-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/leyden-config-version.cmake DESTINATION ${package_dir})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/leyden.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# The program, its demo model and its documents.
install(TARGETS leyden_program)
install(DIRECTORY models/demo/checkpoint/ DESTINATION ${CMAKE_INSTALL_DATADIR}/leyden/demo)
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs examples DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES models/demo/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR}/models/demo)
install(FILES bench/RESULTS.md DESTINATION ${CMAKE_INSTALL_DOCDIR}/bench)

set(man_pages ${CMAKE_CURRENT_BINARY_DIR}/man)
add_custom_command(OUTPUT ${man_pages}/leyden.1 DEPENDS leyden_program cmake/make_man_pages.sh
  COMMAND bash ${PROJECT_SOURCE_DIR}/cmake/make_man_pages.sh $<TARGET_FILE:leyden_program> ${man_pages}
  COMMENT "Writing man pages from --help" VERBATIM)
add_custom_target(leyden_man_pages ALL DEPENDS ${man_pages}/leyden.1)
install(DIRECTORY ${man_pages}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "The leyden authors")
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS libtbbbind-2-5) # opened at run time: no link shows it
include(CPack)
