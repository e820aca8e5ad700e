#include "simd/attend.h"

#include <algorithm>

#include "simd/layout.h"

namespace leyden::simd {
namespace {

std::size_t size(int n) { return static_cast<std::size_t>(n); }
std::size_t whole(std::size_t n, std::size_t unit) { return (n + unit - 1) / unit * unit; }
std::size_t padded(int width) { return whole(size(width), kFixedStep); }
std::size_t n_runs(int width) { return (size(width) + kFixedRun - 1) / kFixedRun; }

/// The pieces of simd/attend.kernel.cc: panels, and the scores of 64 queries.
std::size_t float_bytes(int key_dim, int value_dim) {
  constexpr std::size_t kScores = 64;
  return (size(key_dim) + padded(value_dim) + kScores) * kKeyChunk * sizeof(float);
}

/// The pieces of simd/attend_fixed_layout.h for keys of one or two sections, each of whole lines.
std::size_t fixed_bytes(std::size_t key_width, std::size_t key_runs, int value_dim) {
  constexpr std::size_t kRows = 32, kPieces = 11;
  const std::size_t value_width = padded(value_dim);
  const std::size_t value_runs = n_runs(value_dim);
  const std::size_t panels = kKeyChunk * (key_width + value_width) * 2;
  const std::size_t scales = (key_runs + 2 * value_runs) * kKeyChunk * 4;
  const std::size_t codes = kTileRows * std::max(key_width, value_width) * 2;
  const std::size_t row = kKeyChunk * 4 + value_runs * (kKeyChunk * 2 + 4);
  const std::size_t query = kTileRows * key_width * 2;
  return panels + scales + codes + kRows * row + query + kPieces * kLine;
}

}  // namespace

std::size_t fixed_query_bytes(int n_first, int n_second) {
  return whole((padded(n_first) + padded(n_second)) * 2 + (n_runs(n_first) + n_runs(n_second)) * 4,
               kLine);
}

std::size_t attend_scratch_bytes(int /*n_queries*/, int key_dim, int value_dim) {
  return std::max(float_bytes(key_dim, value_dim),
                  fixed_bytes(padded(key_dim), n_runs(key_dim), value_dim));
}

std::size_t latent_attend_scratch_bytes(int /*n_queries*/, int kv_lora_rank, int rope_dim) {
  return std::max(float_bytes(kv_lora_rank + rope_dim, kv_lora_rank),
                  fixed_bytes(padded(kv_lora_rank) + padded(rope_dim),
                              n_runs(kv_lora_rank) + n_runs(rope_dim), kv_lora_rank));
}

}  // namespace leyden::simd
