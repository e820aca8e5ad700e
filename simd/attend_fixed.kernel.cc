#include "simd/attend_fixed.h"

#include "simd/kv_row.h"

namespace leyden::simd::LEYDEN_ISA {
namespace {

/// Hands out the caller's scratch, line by line. simd/attend.cc counts the same pieces.
struct Pieces {
  std::byte* next;
  template <typename T>
  [[gnu::always_inline]] T* take(std::ptrdiff_t n) {
    T* piece = reinterpret_cast<T*>(next);
    next += n * static_cast<std::ptrdiff_t>(sizeof(T));
    return piece;
  }
};

/// A chunk under construction: what FixedChunk points to, and sixteen rows of codes.
struct Packing {
  std::int16_t* keys;
  float* key_scale;
  std::int16_t* values;
  float* value_scale;
  float* value_top;
  std::int16_t* codes;
  FixedScratch scratch;
};

LEYDEN_INLINE Packing lay_out(std::byte* memory, int key_width, int key_runs, int value_dim) {
  Pieces pieces{memory};
  const int value_width = padded(value_dim);
  const int value_runs = n_runs(value_dim);
  Packing p;
  p.keys = pieces.take<std::int16_t>(std::ptrdiff_t{kKeyChunk} * key_width);
  p.key_scale = pieces.take<float>(std::ptrdiff_t{key_runs} * kKeyChunk);
  p.values = pieces.take<std::int16_t>(std::ptrdiff_t{kKeyChunk} * value_width);
  p.value_scale = pieces.take<float>(std::ptrdiff_t{value_runs} * kKeyChunk);
  p.value_top = pieces.take<float>(std::ptrdiff_t{value_runs} * kKeyChunk);
  p.codes = pieces.take<std::int16_t>(std::ptrdiff_t{kTileRows} *
                                      (key_width > value_width ? key_width : value_width));
  p.scratch.q = pieces.take<std::int16_t>(std::ptrdiff_t{kFixedRows} * key_width);
  p.scratch.q_scale = pieces.take<float>(std::ptrdiff_t{kFixedRows} * key_runs);
  p.scratch.score = pieces.take<float>(std::ptrdiff_t{kFixedRows} * kKeyChunk);
  p.scratch.w = pieces.take<std::int16_t>(std::ptrdiff_t{kFixedRows} * value_runs * kKeyChunk);
  p.scratch.w_scale = pieces.take<float>(std::ptrdiff_t{kFixedRows} * value_runs);
  return p;
}

/// Missing rows of a sixteen: codes and scales of zero.
LEYDEN_INLINE void blank_rows(const Packing& p, int n, int width, float* scale, int runs) {
  for (int i = n; i < kTileRows; ++i) {
    for (int d = 0; d < width; d += 16) {
      store_codes(p.codes + std::ptrdiff_t{i} * width + d, zero_i32());
    }
    for (int run = 0; run < runs; ++run) scale[run * kKeyChunk + i] = 0.0f;
  }
}

/// Largest scales so far, per run of values.
LEYDEN_INLINE void find_tops(const Packing& p, int n_keys, int value_runs) {
  for (int run = 0; run < value_runs; ++run) {
    float top = 0.0f;
    for (int k = 0; k < n_keys; ++k) {
      const float scale = p.value_scale[run * kKeyChunk + k];
      if (scale > top) top = scale;
      p.value_top[run * kKeyChunk + k] = top;
    }
  }
}

/// How a cache row becomes codes; scales at distances of kKeyChunk.
struct Bf16Latent {
  static constexpr int kLatentBytes = 2;
  LEYDEN_INLINE void fix(const std::byte* row, int kv_lora_rank, int rope_dim, std::int16_t* codes,
                         float* scale) {
    const auto* x = reinterpret_cast<const std::uint16_t*>(row);
    fix_row(Bf16Row{x}, kv_lora_rank, codes, scale, kKeyChunk);
    fix_row(Bf16Row{x + kv_lora_rank}, rope_dim, codes + padded(kv_lora_rank),
            scale + n_runs(kv_lora_rank) * kKeyChunk, kKeyChunk);
  }
};

struct Int8Latent {
  static constexpr int kLatentBytes = 1;
  LEYDEN_INLINE void fix(const std::byte* row, int kv_lora_rank, int rope_dim, std::int16_t* codes,
                         float* scale) {
    static_assert(kKvGroup == kFixedRun);
    const int runs = n_runs(kv_lora_rank);
    const auto* latents = reinterpret_cast<const std::int8_t*>(row);
    const std::byte* scales = row + (kv_lora_rank + 3) / 4 * 4;
    for (int i = 0; i < padded(kv_lora_rank); i += 16) {
      const int left = kv_lora_rank - i;
      std::int8_t last[16] = {};
      if (left < 16 && left > 0)
        __builtin_memcpy(last, latents + i, static_cast<std::size_t>(left));
      store_codes(codes + i, load_i8(left < 16 ? last : latents + i));
    }
    for (int run = 0; run < runs; ++run) {
      __builtin_memcpy(scale + run * kKeyChunk, scales + run * 4, 4);
    }
    const auto* rope = reinterpret_cast<const std::uint16_t*>(scales + runs * 4);
    fix_row(Bf16Row{rope}, rope_dim, codes + padded(kv_lora_rank), scale + runs * kKeyChunk,
            kKeyChunk);
  }
};

/// Asks for the sixteen rows from `first` on: chosen tokens lie anywhere in memory.
LEYDEN_INLINE void ask_for_rows(const LatentAttendArgs& args, int first, int n_bytes) {
  const int stop = first + kTileRows < args.n_keys ? first + kTileRows : args.n_keys;
  for (int k = first; k < stop; ++k) {
    for (int line = 0; line < n_bytes; line += kLine) prefetch(args.rows[k] + line);
  }
}

/// Sixteen rows at a time become codes, columns of key panels and rows of value panels.
template <typename Latent>
LEYDEN_INLINE void latent_attend(const LatentAttendArgs& args) {
  const int width = padded(args.kv_lora_rank) + padded(args.rope_dim);
  const int value_runs = n_runs(args.kv_lora_rank);
  const int key_runs = value_runs + n_runs(args.rope_dim);
  const int row_bytes = args.kv_lora_rank * Latent::kLatentBytes + args.rope_dim * 2;
  Packing p = lay_out(args.scratch, width, key_runs, args.kv_lora_rank);
  ask_for_rows(args, 0, row_bytes);
  for (int first = 0; first < args.n_keys; first += kTileRows) {
    ask_for_rows(args, first + kTileRows, row_bytes);
    const int n = args.n_keys - first < kTileRows ? args.n_keys - first : kTileRows;
    for (int i = 0; i < n; ++i) {
      Latent::fix(args.rows[first + i], args.kv_lora_rank, args.rope_dim,
                  p.codes + std::ptrdiff_t{i} * width, p.key_scale + first + i);
    }
    blank_rows(p, n, width, p.key_scale + first, key_runs);
    pack_as_columns(p.codes, width, first, p.keys);
    pack_as_rows(p.codes, width, args.kv_lora_rank, first, p.values);
  }
  p.value_scale = p.key_scale;  // of the latents: the same codes serve as keys and as values
  find_tops(p, args.n_keys, value_runs);
  attend_fixed({p.keys,
                p.key_scale,
                p.values,
                p.value_scale,
                p.value_top,
                {{0, args.kv_lora_rank, 0, 0},
                 {args.kv_lora_rank, args.rope_dim, padded(args.kv_lora_rank), value_runs}},
                2,
                width,
                key_runs,
                args.n_keys,
                args.kv_lora_rank},
               args.n_queries, args.query, args.query_stride, args.n_visible, args.partial,
               p.scratch);
}

}  // namespace

void latent_attend_bf16(const LatentAttendArgs& args) noexcept { latent_attend<Bf16Latent>(args); }
void latent_attend_int8(const LatentAttendArgs& args) noexcept { latent_attend<Int8Latent>(args); }

void attend_int16(const AttendArgs& args) noexcept {
  const int key_width = padded(args.key_dim);
  const int value_width = padded(args.value_dim);
  const int key_runs = n_runs(args.key_dim);
  const int value_runs = n_runs(args.value_dim);
  Packing p = lay_out(args.scratch, key_width, key_runs, args.value_dim);
  for (int first = 0; first < args.n_keys; first += kTileRows) {
    const int n = args.n_keys - first < kTileRows ? args.n_keys - first : kTileRows;
    for (int i = 0; i < n; ++i) {
      fix_row(F32Row{args.key + (first + i) * args.key_stride}, args.key_dim,
              p.codes + std::ptrdiff_t{i} * key_width, p.key_scale + first + i, kKeyChunk);
    }
    blank_rows(p, n, key_width, p.key_scale + first, key_runs);
    pack_as_columns(p.codes, key_width, first, p.keys);
    for (int i = 0; i < n; ++i) {
      fix_row(F32Row{args.value + (first + i) * args.value_stride}, args.value_dim,
              p.codes + std::ptrdiff_t{i} * value_width, p.value_scale + first + i, kKeyChunk);
    }
    blank_rows(p, n, value_width, p.value_scale + first, value_runs);
    pack_as_rows(p.codes, value_width, args.value_dim, first, p.values);
  }
  find_tops(p, args.n_keys, value_runs);
  attend_fixed({p.keys,
                p.key_scale,
                p.values,
                p.value_scale,
                p.value_top,
                {{0, args.key_dim, 0, 0}, {}},
                1,
                key_width,
                key_runs,
                args.n_keys,
                args.value_dim},
               args.n_queries, args.query, args.query_stride, args.n_visible, args.partial,
               p.scratch);
}

}  // namespace leyden::simd::LEYDEN_ISA
