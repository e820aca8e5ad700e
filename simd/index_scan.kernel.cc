#include "simd/index_scan.h"

#include "simd/layout.h"
#include "simd/vec.h"
#if defined(LEYDEN_ISA_amx)
#include "simd/index_scan_amx.h"
#endif

namespace leyden::simd::LEYDEN_ISA {

void top_k_make_room(TopK& best) noexcept;

namespace {

// Heads and tiles whose sums lie in registers at once.
#if defined(LEYDEN_ISA_avx2)
constexpr int kHeads = 4, kTiles = 1;
#else
constexpr int kHeads = 4, kTiles = 4;
#endif
static_assert(kTiles * kTileRows <= kTopKPush);

/// Tiles that stay in the first-level cache while several queries pass over them.
constexpr int kResidentTiles = 16;

/// A format says what one line of a tile (16 keys x 4 bytes) is and how it meets a query.
struct F32 {
  using Sum = F32x16;
  using Keys = F32x16;
  static constexpr int kDims = 1;  // per line
  static constexpr int kScaleLines = 0;
  LEYDEN_INLINE Keys load_keys(const std::byte* line) {
    return load(reinterpret_cast<const float*>(line));
  }
  LEYDEN_INLINE Sum start(const IndexQuery&, int) { return zero_f32(); }
  LEYDEN_INLINE Sum dot(Sum sum, Keys keys, const IndexQuery& query, std::ptrdiff_t at) {
    return fma(broadcast(query.x[at]), keys, sum);
  }
  LEYDEN_INLINE F32x16 to_float(Sum sum) { return sum; }
};

struct Bf16 {
  using Sum = F32x16;
  struct Keys {
    F32x16 even, odd;
  };
  static constexpr int kDims = 2;
  static constexpr int kScaleLines = 0;
  LEYDEN_INLINE Keys load_keys(const std::byte* line) {
    const I32x16 pairs = load(reinterpret_cast<const std::int32_t*>(line));
    return {bits_as_f32(shift_left<16>(pairs)),
            bits_as_f32(pairs & broadcast_i32(static_cast<std::int32_t>(0xffff0000)))};
  }
  LEYDEN_INLINE Sum start(const IndexQuery&, int) { return zero_f32(); }
  LEYDEN_INLINE Sum dot(Sum sum, Keys keys, const IndexQuery& query, std::ptrdiff_t at) {
    return fma(broadcast(query.x[at + 1]), keys.odd, fma(broadcast(query.x[at]), keys.even, sum));
  }
  LEYDEN_INLINE F32x16 to_float(Sum sum) { return sum; }
};

struct Int8 {
  using Sum = I32x16;
  using Keys = I8x64;
  static constexpr int kDims = 4;
  static constexpr int kScaleLines = 1;
  LEYDEN_INLINE Keys load_keys(const std::byte* line) { return load_bytes(line); }
  LEYDEN_INLINE Sum start(const IndexQuery& query, int head) {
    return broadcast_i32(query.q_start[head]);
  }
  LEYDEN_INLINE Sum dot(Sum sum, Keys keys, const IndexQuery& query, std::ptrdiff_t at) {
    return dot_s7(sum, keys, broadcast_quad(query.q + at));
  }
  LEYDEN_INLINE F32x16 to_float(Sum sum) { return to_f32(sum); }
};

template <typename Format>
LEYDEN_INLINE std::ptrdiff_t tile_bytes(int dim) {
  return std::ptrdiff_t{dim / Format::kDims + Format::kScaleLines} * kLine;
}

/// Query i of several, as a query of its own.
LEYDEN_INLINE IndexQuery nth(const IndexQuery& query, int i) {
  const std::ptrdiff_t heads = std::ptrdiff_t{i} * query.n_heads;
  return {query.n_heads,
          query.dim,
          query.x == nullptr ? nullptr : query.x + heads * query.dim,
          query.q == nullptr ? nullptr : query.q + heads * query.dim,
          query.q_start == nullptr ? nullptr : query.q_start + heads,
          query.weight + heads};
}

/// score[t] += weight * relu(dot) of heads h .. h + H - 1 with the T tiles from `tiles` on.
template <typename Format, int H, int T>
LEYDEN_INLINE void add_heads(const std::byte* tiles, const IndexQuery& query, int h,
                             F32x16* score) {
  const std::ptrdiff_t stride = tile_bytes<Format>(query.dim);
  typename Format::Sum sum[H][T];
  LEYDEN_UNROLL
  for (int i = 0; i < H; ++i) {
    LEYDEN_UNROLL
    for (int t = 0; t < T; ++t) sum[i][t] = Format::start(query, h + i);
  }
  const std::byte* line = tiles;
  for (int d = 0; d < query.dim; d += Format::kDims, line += kLine) {
    typename Format::Keys keys[T];
    LEYDEN_UNROLL
    for (int t = 0; t < T; ++t) keys[t] = Format::load_keys(line + t * stride);
    LEYDEN_UNROLL
    for (int i = 0; i < H; ++i) {
      LEYDEN_UNROLL
      for (int t = 0; t < T; ++t) {
        sum[i][t] = Format::dot(sum[i][t], keys[t], query, std::ptrdiff_t{h + i} * query.dim + d);
      }
    }
  }
  LEYDEN_UNROLL
  for (int i = 0; i < H; ++i) {
    LEYDEN_UNROLL
    for (int t = 0; t < T; ++t) {  // in this order of arguments NaN stays NaN
      const F32x16 relu = max(zero_f32(), Format::to_float(sum[i][t]));
      score[t] = fma(broadcast(query.weight[h + i]), relu, score[t]);
    }
  }
}

/// Asks for the lines of the tiles that come next, a few per step: a core waits for memory a
/// quarter of the time when the hardware alone looks ahead.
struct LookAhead {
  const std::byte* next;
  const std::byte* end;
  std::ptrdiff_t step;
  LEYDEN_INLINE LookAhead over(const std::byte* begin, std::ptrdiff_t n_bytes, int n_steps) {
    const std::ptrdiff_t lines = n_bytes / kLine;
    return {begin, begin + n_bytes, (lines + n_steps - 1) / n_steps * kLine};
  }
  [[gnu::always_inline]] void advance() {
    const std::byte* stop = end - next < step ? end : next + step;
    for (; next < stop; next += kLine) prefetch_far(next);
  }
};

/// score[t] of T whole tiles. `next` will be scored after them.
template <typename Format, int T>
LEYDEN_INLINE void score_tiles(const std::byte* tiles, const std::byte* next,
                               const IndexQuery& query, F32x16* score) {
  LEYDEN_UNROLL
  for (int t = 0; t < T; ++t) score[t] = zero_f32();
  const std::ptrdiff_t n_bytes = T * tile_bytes<Format>(query.dim);
  LookAhead ahead = LookAhead::over(next, n_bytes, (query.n_heads + kHeads - 1) / kHeads);
  int h = 0;
  for (; h + kHeads <= query.n_heads; h += kHeads) {
    ahead.advance();
    add_heads<Format, kHeads, T>(tiles, query, h, score);
  }
  for (; h < query.n_heads; ++h) add_heads<Format, 1, T>(tiles, query, h, score);
  if constexpr (Format::kScaleLines > 0) {
    const std::ptrdiff_t stride = tile_bytes<Format>(query.dim);
    const std::byte* scales = tiles + stride - kLine;
    LEYDEN_UNROLL
    for (int t = 0; t < T; ++t) {
      score[t] = load(reinterpret_cast<const float*>(scales + t * stride)) * score[t];
    }
  }
}

/// Appends those of the first n of T * 16 scored keys that may be among the best. One branch for
/// all tiles: that some key enters is easily predicted, that one of a tile does is not.
template <int T>
LEYDEN_INLINE void offer(TopK& best, const F32x16* score, std::int32_t position, int n) {
  if (best.count + T * kTileRows > best.capacity) top_k_make_room(best);
  const F32x16 threshold = broadcast(best.threshold);
  const bool ties_enter = position <= best.last_tie;
  Mask16 enters[T];
  unsigned any = 0;
  LEYDEN_UNROLL
  for (int t = 0; t < T; ++t) {
    const Mask16 reaches =
        ties_enter ? greater_equal(score[t], threshold) : greater(score[t], threshold);
    enters[t] = reaches & first_lanes(n - t * kTileRows);
    any |= static_cast<unsigned>(bits(enters[t]));
  }
  if (any == 0) return;
  std::int32_t count = best.count;
  LEYDEN_UNROLL
  for (int t = 0; t < T; ++t) {
    compress_store(best.score + count, score[t], enters[t]);
    count += compress_store(best.position + count,
                            broadcast_i32(position + t * kTileRows) + lane_numbers(), enters[t]);
  }
  best.count = count;
}

/// Scores the n keys of T tiles, the last tile perhaps not full.
template <typename Format, int T>
LEYDEN_INLINE void scan_tiles(const std::byte* tiles, const std::byte* next,
                              const IndexQuery& query, std::int32_t position, int n, TopK& best) {
  F32x16 score[T];
  score_tiles<Format, T>(tiles, next, query, score);
  offer<T>(best, score, position, n);
}

template <typename Format>
LEYDEN_INLINE void scan(const IndexScanArgs& args) {
  constexpr int kResidentKeys = kResidentTiles * kTileRows;
  const std::ptrdiff_t stride = tile_bytes<Format>(args.query.dim);
  for (std::int32_t first = 0; first < args.n_keys; first += kResidentKeys) {
    const std::byte* resident = args.tiles + first / kTileRows * stride;
    for (int i = 0; i < args.n_queries; ++i) {
      const IndexQuery query = nth(args.query, i);
      const std::int32_t position = args.first_position + first;
      std::int32_t n = args.n_keys - first;
      if (n > kResidentKeys) n = kResidentKeys;
      if (args.end != nullptr && n > args.end[i] - position) n = args.end[i] - position;
      std::int32_t s = 0;
      for (; s + (kTiles - 1) * kTileRows < n; s += kTiles * kTileRows) {
        const std::byte* const tiles = resident + s / kTileRows * stride;
        const bool is_last = first + s + kTiles * kTileRows >= args.n_keys && args.next != nullptr;
        scan_tiles<Format, kTiles>(tiles, is_last ? args.next : tiles + kTiles * stride, query,
                                   position + s, n - s, args.best[i]);
      }
      for (; s < n; s += kTileRows) {
        const std::byte* const tiles = resident + s / kTileRows * stride;
        scan_tiles<Format, 1>(tiles, tiles + stride, query, position + s, n - s, args.best[i]);
      }
    }
  }
}

#if defined(LEYDEN_ISA_amx)
/// scan<Int8> for queries that has_amx_form.
LEYDEN_INLINE void scan_amx(const IndexScanArgs& args) {
  constexpr int kResidentKeys = kResidentTiles * kTileRows;
  KeysAhead ahead = KeysAhead::of(args);
  begin_tiles(AmxShapes::whole());
  for (std::int32_t first = 0; first < args.n_keys; first += kResidentKeys) {
    const std::byte* resident = args.tiles + first / kTileRows * kAmxTileBytes;
    const std::int32_t position = args.first_position + first;
    for (int i = 0; i < args.n_queries; ++i) {
      std::int32_t n = args.n_keys - first;
      if (n > kResidentKeys) n = kResidentKeys;
      if (args.end != nullptr && n > args.end[i] - position) n = args.end[i] - position;
      if (n <= 0) continue;
      alignas(kLine) float score[kResidentTiles][kTileRows];
      score_tiles_amx(resident, (n + kTileRows - 1) / kTileRows, nth(args.query, i),
                      i == 0 ? &ahead : nullptr, score);
      for (int s = 0; s < n; s += kTiles * kTileRows) {
        F32x16 group[kTiles];
        LEYDEN_UNROLL
        for (int t = 0; t < kTiles; ++t) group[t] = load(score[s / kTileRows + t]);
        offer<kTiles>(args.best[i], group, position + s, n - s);
      }
    }
  }
  end_tiles();
}
#endif

/// Gathers sixteen keys at a time into a tile of their own.
template <typename Format>
LEYDEN_INLINE void score_chosen(const IndexScoreArgs& args) {
  alignas(kLine)
      std::byte gathered[(kMaxIndexDim / Format::kDims + Format::kScaleLines) * kLine] = {};
  const std::ptrdiff_t n_bytes = tile_bytes<Format>(args.query.dim);
  for (std::int32_t first = 0; first < args.n_keys; first += kTileRows) {
    const int n = args.n_keys - first < kTileRows ? args.n_keys - first : kTileRows;
    for (int i = 0; i < n; ++i) {
      const std::byte* from = args.tile[first + i] + args.position[first + i] % kTileRows * 4;
      for (std::ptrdiff_t line = 0; line < n_bytes; line += kLine) {
        __builtin_memcpy(gathered + line + i * 4, from + line, 4);
      }
    }
    F32x16 score[1];
    score_tiles<Format, 1>(gathered, gathered, args.query, score);
    store_first(args.score + first, score[0], n);
  }
}

}  // namespace

void index_scan_f32(const IndexScanArgs& args) noexcept { scan<F32>(args); }
void index_scan_bf16(const IndexScanArgs& args) noexcept { scan<Bf16>(args); }
void index_scan_int8(const IndexScanArgs& args) noexcept {
#if defined(LEYDEN_ISA_amx)
  if (has_amx_form(args.query)) return scan_amx(args);
#endif
  scan<Int8>(args);
}

void index_score_f32(const IndexScoreArgs& args) noexcept { score_chosen<F32>(args); }
void index_score_bf16(const IndexScoreArgs& args) noexcept { score_chosen<Bf16>(args); }
void index_score_int8(const IndexScoreArgs& args) noexcept { score_chosen<Int8>(args); }

}  // namespace leyden::simd::LEYDEN_ISA
