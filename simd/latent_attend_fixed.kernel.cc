#include "simd/attend_fixed_layout.h"
#include "simd/kv_row.h"
#if defined(LEYDEN_ISA_amx)
#include "simd/attend_fixed_amx.h"
#endif

namespace leyden::simd::LEYDEN_ISA {
namespace {

/// How the latents of a cache row become codes and scales (at distances of kKeyChunk), and where
/// its rotated key begins.
struct Bf16Latents {
  LEYDEN_INLINE void load(const std::byte* row, int kv_lora_rank, std::int16_t* codes,
                          float* scale) {
    fix_row<Role::kValue>(Bf16Row{reinterpret_cast<const std::uint16_t*>(row)}, kv_lora_rank, codes,
                          scale, kKeyChunk);
  }
  LEYDEN_INLINE const std::byte* rope(const std::byte* row, int kv_lora_rank) {
    return row + std::ptrdiff_t{kv_lora_rank} * 2;
  }
#if defined(LEYDEN_ISA_amx)
  static constexpr int kBytes = 2;
  /// The kinds of bytes of one row, [16][kv_lora_rank] apart.
  LEYDEN_INLINE void load_bytes(const std::byte* row, int kv_lora_rank, float* scale,
                                std::byte* bytes) {
    fix_row_bytes<Role::kValue>(Bf16Row{reinterpret_cast<const std::uint16_t*>(row)}, kv_lora_rank,
                                bytes, bytes + std::ptrdiff_t{kTileRows} * kv_lora_rank, scale,
                                kKeyChunk);
  }
#endif
};

struct Int8Latents {
  static_assert(kKvGroup == kFixedRun);
  LEYDEN_INLINE void store_step(const std::int8_t* from, std::int16_t* to) {
    store_codes(to, load_i8(from));
    store_codes(to + 16, load_i8(from + 16));
  }
  LEYDEN_INLINE const std::byte* scales(const std::byte* row, int kv_lora_rank) {
    return row + (kv_lora_rank + 3) / 4 * 4;
  }
  LEYDEN_INLINE void load_scales(const std::byte* row, int kv_lora_rank, float* scale) {
    for (int run = 0; run < n_runs(kv_lora_rank); ++run) {
      __builtin_memcpy(scale + run * kKeyChunk, scales(row, kv_lora_rank) + run * 4, 4);
    }
  }
  LEYDEN_INLINE void load(const std::byte* row, int kv_lora_rank, std::int16_t* codes,
                          float* scale) {
    const auto* latents = reinterpret_cast<const std::int8_t*>(row);
    int i = 0;
    for (; i + kFixedStep <= kv_lora_rank; i += kFixedStep) store_step(latents + i, codes + i);
    if (i < kv_lora_rank) {
      std::int8_t last[kFixedStep] = {};
      __builtin_memcpy(last, latents + i, static_cast<std::size_t>(kv_lora_rank - i));
      store_step(last, codes + i);
    }
    load_scales(row, kv_lora_rank, scale);
  }
  LEYDEN_INLINE const std::byte* rope(const std::byte* row, int kv_lora_rank) {
    return scales(row, kv_lora_rank) + n_runs(kv_lora_rank) * 4;
  }
#if defined(LEYDEN_ISA_amx)
  static constexpr int kBytes = 1;
  LEYDEN_INLINE void load_bytes(const std::byte* row, int kv_lora_rank, float* scale,
                                std::byte* bytes) {
    __builtin_memcpy(bytes, row, static_cast<std::size_t>(kv_lora_rank));
    load_scales(row, kv_lora_rank, scale);
  }
#endif
};

/// Bytes of one cache row.
template <typename Latents>
LEYDEN_INLINE int row_bytes_of(const LatentAttendArgs& args) {
  return static_cast<int>(Latents::rope(args.rows[0], args.kv_lora_rank) - args.rows[0]) +
         args.rope_dim * 2;
}

/// Calls body(first, n) for sixteen of the chunk's rows at a time, n of which there are, and asks
/// for the lines of the next sixteen before.
template <typename Body>
LEYDEN_INLINE void for_sixteens(const LatentAttendArgs& args, int row_bytes, const Body& body) {
  Wishes wishes = {args.rows, args.n_keys, row_bytes};
  for (int line = 0; line < row_bytes; line += kLine) wishes.ask();
  for (int first = 0; first < args.n_keys; first += kTileRows) {
    for (int line = 0; line < row_bytes; line += kLine) wishes.ask();
    body(first, args.n_keys - first < kTileRows ? args.n_keys - first : kTileRows);
  }
}

#if defined(LEYDEN_ISA_amx)
template <typename Latents>
LEYDEN_INLINE void latent_attend_amx(const LatentAttendArgs& args) {
  constexpr int kBytes = Latents::kBytes;
  const int rank = args.kv_lora_rank, rope_dim = args.rope_dim;
  const int value_runs = n_runs(rank), rope_runs = n_runs(rope_dim);
  Packing p = lay_out(args.scratch, rank + rope_dim, value_runs + rope_runs, rank);
  auto* const keys = reinterpret_cast<std::byte*>(p.keys);
  auto* const rope_keys = keys + std::ptrdiff_t{rank} * kKeyChunk * kBytes;
  auto* const values = reinterpret_cast<std::byte*>(p.values);
  auto* const bytes = reinterpret_cast<std::byte*>(p.codes);
  float* const rope_scale = p.key_scale + value_runs * kKeyChunk;
  const int row_bytes = row_bytes_of<Latents>(args);
  for_sixteens(
      args, row_bytes, [&](int first, int n) __attribute__((always_inline)) {
        for (int i = 0; i < n; ++i) {
          Latents::load_bytes(args.rows[first + i], rank, p.key_scale + first + i,
                              bytes + std::ptrdiff_t{i} * rank);
        }
        blank_bytes<kBytes>(bytes, n, rank, p.key_scale + first);
        pack_keys<kBytes>(bytes, rank, first, keys);
        pack_values<kBytes>(bytes, rank, first, values);
        std::byte* const low = bytes + std::ptrdiff_t{kTileRows} * rope_dim;
        for (int i = 0; i < n; ++i) {
          const std::byte* rope = Latents::rope(args.rows[first + i], rank);
          fix_row_bytes<Role::kKey>(Bf16Row{reinterpret_cast<const std::uint16_t*>(rope)}, rope_dim,
                                    bytes + std::ptrdiff_t{i} * rope_dim,
                                    low + std::ptrdiff_t{i} * rope_dim, rope_scale + first + i,
                                    kKeyChunk);
        }
        blank_bytes<2>(bytes, n, rope_dim, rope_scale + first);
        pack_keys<2>(bytes, rope_dim, first, rope_keys);
      });
  p.value_scale = p.key_scale;  // of the latents: the same codes serve as keys and as values
  find_tops(p, args.n_keys, value_runs);
  attend_amx({{p.key_scale, p.value_scale, p.value_top, (rank + rope_dim) / 2,
               value_runs + rope_runs, args.n_keys, rank},
              {{keys, rank, kBytes}, {rope_keys, rope_dim, 2}},
              2,
              values,
              kBytes},
             args.n_queries, {args.query, args.query_stride_bytes}, p.query,
             {args.n_keys, args.n_visible, {}}, args.partial, p.scratch,
             {args.next_rows, args.n_next_rows, row_bytes});
}
#endif

/// Sixteen rows at a time become codes, then columns of key panels and rows of value panels.
template <typename Latents>
LEYDEN_INLINE void latent_attend(const LatentAttendArgs& args) {
#if defined(LEYDEN_ISA_amx)
  if (has_amx_form(args.kv_lora_rank, args.rope_dim, args.kv_lora_rank)) {
    return latent_attend_amx<Latents>(args);
  }
#endif
  const int latent_width = padded(args.kv_lora_rank), rope_width = padded(args.rope_dim);
  const int value_runs = n_runs(args.kv_lora_rank), rope_runs = n_runs(args.rope_dim);
  const int rope_cell = latent_width / 2, key_cells = rope_cell + rope_width / 2;
  Packing p =
      lay_out(args.scratch, latent_width + rope_width, value_runs + rope_runs, args.kv_lora_rank);
  std::int16_t* latents = p.codes;
  std::int16_t* ropes = p.codes + std::ptrdiff_t{kTileRows} * latent_width;
  float* rope_scale = p.key_scale + value_runs * kKeyChunk;
  const int row_bytes = row_bytes_of<Latents>(args);
  for_sixteens(
      args, row_bytes, [&](int first, int n) __attribute__((always_inline)) {
        for (int i = 0; i < n; ++i) {
          const std::byte* row = args.rows[first + i];
          Latents::load(row, args.kv_lora_rank, latents + std::ptrdiff_t{i} * latent_width,
                        p.key_scale + first + i);
          const std::byte* rope = Latents::rope(row, args.kv_lora_rank);
          fix_row<Role::kKey>(Bf16Row{reinterpret_cast<const std::uint16_t*>(rope)}, args.rope_dim,
                              ropes + std::ptrdiff_t{i} * rope_width, rope_scale + first + i,
                              kKeyChunk);
        }
        blank_rows(latents, n, latent_width, p.key_scale + first, value_runs);
        blank_rows(ropes, n, rope_width, rope_scale + first, rope_runs);
        pack_as_columns(latents, latent_width, first, key_cells, p.keys);
        pack_as_columns(ropes, rope_width, first, key_cells,
                        p.keys + std::ptrdiff_t{rope_cell} * kCellPanel);
        pack_as_rows(latents, latent_width, args.kv_lora_rank, first, p.values);
      });
  p.value_scale = p.key_scale;  // of the latents: the same codes serve as keys and as values
  find_tops(p, args.n_keys, value_runs);
  attend_fixed({{p.key_scale, p.value_scale, p.value_top, key_cells, value_runs + rope_runs,
                 args.n_keys, args.kv_lora_rank},
                p.keys,
                p.values,
                {{args.kv_lora_rank, 0, 0}, {args.rope_dim, rope_cell, value_runs}},
                2},
               args.n_queries, {args.query, args.query_stride_bytes},
               {args.n_keys, args.n_visible, {}}, args.partial, p.scratch,
               {args.next_rows, args.n_next_rows, row_bytes});
}

}  // namespace

void latent_attend_bf16(const LatentAttendArgs& args) noexcept { latent_attend<Bf16Latents>(args); }
void latent_attend_int8(const LatentAttendArgs& args) noexcept { latent_attend<Int8Latents>(args); }

}  // namespace leyden::simd::LEYDEN_ISA
