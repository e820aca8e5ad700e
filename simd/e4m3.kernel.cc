#include "simd/e4m3.h"

#include "simd/lanes.h"

namespace leyden::simd::LEYDEN_ISA {
namespace {

LEYDEN_INLINE F32x16 load_e4m3(const std::uint8_t* p, AllLanes) { return load_e4m3(p); }
LEYDEN_INLINE F32x16 load_e4m3(const std::uint8_t* p, FirstLanes lanes) {
  std::uint8_t whole[16] = {};
  __builtin_memcpy(whole, p, static_cast<std::size_t>(lanes.n));
  return load_e4m3(whole);
}

}  // namespace

void widen_e4m3(const std::uint8_t* codes, int n, float scale, float* out) noexcept {
  const F32x16 factor = broadcast(scale), largest = broadcast(448.0f);
  const F32x16 nan = broadcast(__builtin_nanf(""));
  for_lanes(n, [&](int i, auto lanes) {
    const F32x16 x = load_e4m3(codes + i, lanes);
    store(out + i, select(greater(abs(x), largest), nan, x) * factor, lanes);
  });
}

}  // namespace leyden::simd::LEYDEN_ISA
