#include "simd/attend.h"

#include "simd/layout.h"

namespace leyden::simd {
namespace {

constexpr std::size_t round_up(std::size_t n, std::size_t unit) {
  return (n + unit - 1) / unit * unit;
}

/// Panels of 32 columns in f32, and the scores of 64 queries (simd/attend_core.h).
constexpr std::size_t kPanel = 32;
constexpr std::size_t kScores = 64;

}  // namespace

std::size_t attend_scratch_bytes(int /*n_queries*/, int key_dim, int value_dim) {
  const std::size_t keys = kKeyChunk * static_cast<std::size_t>(key_dim);
  const std::size_t values = kKeyChunk * round_up(static_cast<std::size_t>(value_dim), kPanel);
  return (keys + values + kScores * kKeyChunk) * sizeof(float);
}

std::size_t latent_attend_scratch_bytes(int n_queries, int kv_lora_rank, int rope_dim) {
  const int key_dim = kv_lora_rank + rope_dim;
  // sixteen rows at a time are decoded before they are packed
  const std::size_t rows = kTileRows * round_up(static_cast<std::size_t>(key_dim), 16);
  return attend_scratch_bytes(n_queries, key_dim, kv_lora_rank) + rows * sizeof(float);
}

}  // namespace leyden::simd
