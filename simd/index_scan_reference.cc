#include <algorithm>
#include <cmath>
#include <cstring>

#include "simd/bf16.h"
#include "simd/index_scan.h"
#include "simd/layout.h"

namespace leyden::simd::scalar {

void top_k_make_room(TopK& best) noexcept;

namespace {

template <typename T>
T read(const std::byte* from, std::ptrdiff_t index) {
  T value;
  std::memcpy(&value, from + index * static_cast<std::ptrdiff_t>(sizeof(T)), sizeof(T));
  return value;
}

struct F32 {
  static constexpr IndexFormat kFormat = IndexFormat::kF32;
  static float dot(const IndexQuery& query, int head, const std::byte* tile, int slot) {
    const float* x = query.x + std::ptrdiff_t{head} * query.dim;
    float sum = 0;
    for (int d = 0; d < query.dim; ++d) {
      sum = std::fma(x[d], read<float>(tile, d * kTileRows + slot), sum);
    }
    return sum;
  }
  static float key_scale(const std::byte*, int, int) { return 1.0f; }
};

struct Bf16 {
  static constexpr IndexFormat kFormat = IndexFormat::kBf16;
  static float dot(const IndexQuery& query, int head, const std::byte* tile, int slot) {
    const float* x = query.x + std::ptrdiff_t{head} * query.dim;
    float sum = 0;
    for (int d = 0; d < query.dim; ++d) {
      const auto code = read<std::uint16_t>(tile, (d / 2 * kTileRows + slot) * 2 + d % 2);
      sum = std::fma(x[d], from_bf16(code), sum);
    }
    return sum;
  }
  static float key_scale(const std::byte*, int, int) { return 1.0f; }
};

struct Int8 {
  static constexpr IndexFormat kFormat = IndexFormat::kInt8;
  static float dot(const IndexQuery& query, int head, const std::byte* tile, int slot) {
    const std::int8_t* q = query.q + std::ptrdiff_t{head} * query.dim;
    std::int32_t sum = 0;
    for (int d = 0; d < query.dim; ++d) {
      sum +=
          q[d] * (read<std::uint8_t>(tile, (d / 4 * kTileRows + slot) * 4 + d % 4) - kInt8Offset);
    }
    return static_cast<float>(sum);
  }
  static float key_scale(const std::byte* tile, int dim, int slot) {
    return read<float>(tile + std::ptrdiff_t{dim} * kTileRows, slot);
  }
};

/// Query i of several, as a query of its own.
IndexQuery nth(const IndexQuery& query, int i) {
  IndexQuery one = query;
  const std::ptrdiff_t heads = std::ptrdiff_t{i} * query.n_heads;
  if (one.x != nullptr) one.x += heads * query.dim;
  if (one.q != nullptr) one.q += heads * query.dim;
  if (one.q_start != nullptr) one.q_start += heads;
  one.weight += heads;
  return one;
}

template <typename Format>
float score_key(const IndexQuery& query, const std::byte* tile, int slot) {
  float score = 0;
  for (int h = 0; h < query.n_heads; ++h) {
    score = std::fma(query.weight[h], std::max(Format::dot(query, h, tile, slot), 0.0f), score);
  }
  return Format::key_scale(tile, query.dim, slot) * score;
}

void offer(TopK& best, float score, std::int32_t position) {
  if (!(score >= best.threshold)) return;
  if (score == best.threshold && position > best.last_tie) return;
  if (best.count == best.capacity) top_k_make_room(best);
  best.score[best.count] = score;
  best.position[best.count] = position;
  ++best.count;
}

template <typename Format>
void scan(const IndexScanArgs& args) {
  const std::size_t tile_bytes = index_tile_bytes(Format::kFormat, args.query.dim);
  for (int i = 0; i < args.n_queries; ++i) {
    const IndexQuery query = nth(args.query, i);
    for (std::int32_t s = 0; s < args.n_keys; ++s) {
      const std::int32_t position = args.first_position + s;
      if (args.end != nullptr && position >= args.end[i]) break;
      const std::byte* tile = args.tiles + static_cast<std::size_t>(s / kTileRows) * tile_bytes;
      offer(args.best[i], score_key<Format>(query, tile, s % kTileRows), position);
    }
  }
}

template <typename Format>
void score(const IndexScoreArgs& args) {
  for (std::int32_t i = 0; i < args.n_keys; ++i) {
    args.score[i] = score_key<Format>(args.query, args.tile[i], args.position[i] % kTileRows);
  }
}

}  // namespace

void index_scan_f32(const IndexScanArgs& args) noexcept { scan<F32>(args); }
void index_scan_bf16(const IndexScanArgs& args) noexcept { scan<Bf16>(args); }
void index_scan_int8(const IndexScanArgs& args) noexcept { scan<Int8>(args); }

void index_score_f32(const IndexScoreArgs& args) noexcept { score<F32>(args); }
void index_score_bf16(const IndexScoreArgs& args) noexcept { score<Bf16>(args); }
void index_score_int8(const IndexScoreArgs& args) noexcept { score<Int8>(args); }

}  // namespace leyden::simd::scalar
