#include "simd/peak.h"

#include "simd/layout.h"
#include "simd/vec.h"

namespace leyden::simd::LEYDEN_ISA {
namespace {

#if defined(LEYDEN_ISA_avx2)
// Chains are two registers each; vpaddd has the integer chain's latency, one cycle.
constexpr int kIntegerChains = 3, kFloatChains = 5;
LEYDEN_INLINE void forget(I8x64& x) { asm volatile("" : "+x"(x.lo), "+x"(x.hi)); }
#else
constexpr int kIntegerChains = 12, kFloatChains = 12;
LEYDEN_INLINE void forget(I8x64& x) { asm volatile("" : "+v"(x.v)); }
#endif

constexpr int kReadAhead = 2048;    // bytes
constexpr std::size_t kStep = 256;  // bytes

LEYDEN_INLINE void add_step(I32x16 (&sum)[4], const std::byte* data) {
  const auto* const words = reinterpret_cast<const std::int32_t*>(data);
  LEYDEN_UNROLL
  for (int j = 0; j < 4; ++j) sum[j] = sum[j] + load(words + 16 * j);
}

}  // namespace

std::uint64_t read_all(const std::byte* data, std::size_t bytes, Lead lead) noexcept {
  I32x16 sum[4] = {zero_i32(), zero_i32(), zero_i32(), zero_i32()};
  const std::byte* const end = data + bytes;
  if (lead == Lead::kTwoRuns) {
    const std::size_t half = bytes / (2 * kStep) * kStep;
    for (std::size_t i = 0; i < half; i += kStep) {
      add_step(sum, data + i);
      add_step(sum, data + half + i);
    }
    data += 2 * half;
  }
  for (; data < end; data += kStep) {
    LEYDEN_UNROLL
    for (int j = 0; j < 4; ++j) __builtin_prefetch(data + kReadAhead + kLine * j);
    add_step(sum, data);
  }
  std::int32_t lanes[16];
  store(lanes, (sum[0] + sum[1]) + (sum[2] + sum[3]));
  std::uint64_t total = 0;
  for (const std::int32_t lane : lanes) total += static_cast<std::uint32_t>(lane);
  return total;
}

std::int64_t integer_peak(std::int64_t rounds, std::int32_t* sink) noexcept {
  std::uint8_t bytes[64];
  for (int i = 0; i < 64; ++i) bytes[i] = static_cast<std::uint8_t>(1 + i % 16);
  I8x64 w = load_bytes(bytes);
  const I8x64 a = load_bytes(bytes);
  I32x16 acc[kIntegerChains];
  LEYDEN_UNROLL
  for (int c = 0; c < kIntegerChains; ++c) acc[c] = broadcast_i32(c);
  for (std::int64_t i = 0; i < rounds; ++i) {
    LEYDEN_UNROLL
    for (int c = 0; c < kIntegerChains; ++c) {
      forget(w);  // or the products would be taken out of the loop
      acc[c] = dot_u7(acc[c], w, a);
    }
  }
  LEYDEN_UNROLL
  for (int c = 1; c < kIntegerChains; ++c) acc[0] = acc[0] + acc[c];
  *sink = fold_add(acc[0]);  // every lane counts, or a compiler drops what doesn't
  return std::int64_t{kIntegerChains} * 64;
}

std::int64_t float_peak(std::int64_t rounds, float* sink) noexcept {
  const F32x16 w = broadcast(0.5f), a = broadcast(2.0f);
  F32x16 acc[kFloatChains];
  LEYDEN_UNROLL
  for (int c = 0; c < kFloatChains; ++c) acc[c] = broadcast(static_cast<float>(c));
  for (std::int64_t i = 0; i < rounds; ++i) {
    LEYDEN_UNROLL
    for (int c = 0; c < kFloatChains; ++c) acc[c] = fma(w, a, acc[c]);
  }
  LEYDEN_UNROLL
  for (int c = 1; c < kFloatChains; ++c) acc[0] = acc[0] + acc[c];
  *sink = fold_add(acc[0]);
  return std::int64_t{kFloatChains} * 16;
}

}  // namespace leyden::simd::LEYDEN_ISA
