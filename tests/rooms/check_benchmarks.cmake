# cmake -DROOT=DIR -P check_benchmarks.cmake: fails when a kernel of simd/kernels.h is named by no
# program of Google Benchmark entries (bench/*_bench.cc).

cmake_minimum_required(VERSION 3.25)

# Benchmarked inside of index_bench's scans, selections and merges, which call them when full.
set(inside_others top_k_select top_k_make_room)

file(READ ${ROOT}/simd/kernels.h header)
string(REGEX MATCHALL "X\\([a-z0-9_]+, [A-Za-z0-9]+Fn\\)" kernels "${header}")
file(GLOB programs ${ROOT}/bench/*_bench.cc ${ROOT}/bench/kernel_bench.h)
set(source "")
foreach(program IN LISTS programs)
  file(READ ${program} text)
  string(APPEND source "${text}")
endforeach()

set(missing "")
foreach(kernel IN LISTS kernels)
  string(REGEX REPLACE "X\\(([a-z0-9_]+),.*" "\\1" name "${kernel}")
  if(NOT name IN_LIST inside_others AND NOT source MATCHES "[.:>]${name}[^a-z0-9_]")
    list(APPEND missing ${name})
  endif()
endforeach()
list(REMOVE_DUPLICATES missing)
list(LENGTH kernels n_kernels)
list(LENGTH missing n_missing)
if(n_kernels EQUAL 0)
  message(FATAL_ERROR "${ROOT}/simd/kernels.h names no kernels")
elseif(n_missing)
  list(JOIN missing ", " names)
  message(FATAL_ERROR "${n_missing} kernels have no entry in bench/: ${names}")
endif()
message(NOTICE "${n_kernels} kernels checked")
