#include <cstdlib>
#include <exception>
#include <iostream>

#include "simd/isa.h"

// The model tests run once per kernel level, named by LEYDEN_ISA. On a machine without a level they
// end here, with the exit status that ctest knows as "skipped".
namespace {

constexpr int kSkipped = 77;

const bool checked = [] {
  try {
    leyden::simd::select_isa(std::getenv("LEYDEN_ISA"));
  } catch (const std::exception& error) {
    std::cout << error.what() << std::endl;
    std::_Exit(kSkipped);
  }
  return true;
}();

}  // namespace
