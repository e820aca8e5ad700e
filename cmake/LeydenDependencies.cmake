# Everything comes from Debian 12 (packages.txt lists the names for ./leyden).
find_package(Threads REQUIRED)
find_package(TBB REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(hwloc REQUIRED IMPORTED_TARGET hwloc)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(edit REQUIRED IMPORTED_TARGET libedit)

# The judge of products in tests, and what the benchmarks compare with; the program doesn't need it.
if(LEYDEN_BUILD_TESTS OR LEYDEN_BUILD_BENCH)
  pkg_check_modules(openblas REQUIRED IMPORTED_TARGET openblas)
endif()
