#include <cstring>

#include "simd/peak.h"

namespace leyden::simd::scalar {

std::uint64_t read_all(const std::byte* data, std::size_t bytes, Lead) noexcept {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < bytes; i += sizeof(std::uint64_t)) {
    std::uint64_t word;
    std::memcpy(&word, data + i, sizeof(word));
    total += word;
  }
  return total;
}

std::int64_t integer_peak(std::int64_t rounds, std::int32_t* sink) noexcept {
  constexpr int kProducts = 64;
  volatile std::int8_t w = 3;  // read anew for every product
  std::int32_t sum = 0;
  for (std::int64_t i = 0; i < rounds; ++i) {
    for (int j = 0; j < kProducts; ++j) sum += w * j;
  }
  *sink = sum;
  return kProducts;
}

std::int64_t float_peak(std::int64_t rounds, float* sink) noexcept {
  constexpr int kProducts = 64;
  volatile float w = 3;  // read anew for every product
  float sum = 0;
  for (std::int64_t i = 0; i < rounds; ++i) {
    for (int j = 0; j < kProducts; ++j) sum += w * static_cast<float>(j);
  }
  *sink = sum;
  return kProducts;
}

}  // namespace leyden::simd::scalar
