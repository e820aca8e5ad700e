#include "simd/attend_fixed_layout.h"
#if defined(LEYDEN_ISA_amx)
#include "simd/attend_fixed_amx.h"
#endif

namespace leyden::simd::LEYDEN_ISA {

#if defined(LEYDEN_ISA_amx)
namespace {

/// The codes of up to sixteen rows as bytes, [2][16][width]; missing rows are zeros.
template <Role kRole>
LEYDEN_INLINE void fix_rows(const float* x, std::ptrdiff_t stride, int n, int width, float* scale,
                            std::byte* bytes) {
  std::byte* const low = bytes + std::ptrdiff_t{kTileRows} * width;
  for (int i = 0; i < n; ++i) {
    fix_row_bytes<kRole>(F32Row{x + i * stride}, width, bytes + std::ptrdiff_t{i} * width,
                         low + std::ptrdiff_t{i} * width, scale + i, kKeyChunk);
  }
  blank_bytes<2>(bytes, n, width, scale);
}

void attend_amx(const AttendArgs& args) {
  const int key_runs = n_runs(args.key_dim), value_runs = n_runs(args.value_dim);
  const Packing p = lay_out(args.scratch, args.key_dim, key_runs, args.value_dim);
  auto* const keys = reinterpret_cast<std::byte*>(p.keys);
  auto* const values = reinterpret_cast<std::byte*>(p.values);
  auto* const bytes = reinterpret_cast<std::byte*>(p.codes);
  for (int first = 0; first < args.n_keys; first += kTileRows) {
    const int n = args.n_keys - first < kTileRows ? args.n_keys - first : kTileRows;
    fix_rows<Role::kKey>(args.key + first * args.key_stride, args.key_stride, n, args.key_dim,
                         p.key_scale + first, bytes);
    pack_keys<2>(bytes, args.key_dim, first, keys);
    fix_rows<Role::kValue>(args.value + first * args.value_stride, args.value_stride, n,
                           args.value_dim, p.value_scale + first, bytes);
    pack_values<2>(bytes, args.value_dim, first, values);
  }
  find_tops(p, args.n_keys, value_runs);
  attend_amx({{p.key_scale, p.value_scale, p.value_top, args.key_dim / 2, key_runs, args.n_keys,
               args.value_dim},
              {{keys, args.key_dim, 2}, {}},
              1,
              values,
              2},
             args.n_queries, {args.query, args.query_stride_bytes}, p.query,
             {args.n_keys, args.n_visible, args.choice}, args.partial, p.scratch, {});
}

}  // namespace
#endif

void fix_query(const float* x, int n_first, int n_second, std::byte* row) noexcept {
  auto* codes = reinterpret_cast<std::int16_t*>(row);
  std::int16_t* second = codes + padded(n_first);
  auto* scale = reinterpret_cast<float*>(second + padded(n_second));
  fix_row<Role::kKey>(F32Row{x}, n_first, codes, scale, 1);
  fix_row<Role::kKey>(F32Row{x + n_first}, n_second, second, scale + n_runs(n_first), 1);
}

void attend_int16(const AttendArgs& args) noexcept {
#if defined(LEYDEN_ISA_amx)
  if (has_amx_form(args.key_dim, 0, args.value_dim)) return attend_amx(args);
#endif
  const int key_width = padded(args.key_dim);
  const int value_width = padded(args.value_dim);
  const int key_runs = n_runs(args.key_dim);
  const int value_runs = n_runs(args.value_dim);
  Packing p = lay_out(args.scratch, key_width, key_runs, args.value_dim);
  for (int first = 0; first < args.n_keys; first += kTileRows) {
    const int n = args.n_keys - first < kTileRows ? args.n_keys - first : kTileRows;
    for (int i = 0; i < n; ++i) {
      fix_row<Role::kKey>(F32Row{args.key + (first + i) * args.key_stride}, args.key_dim,
                          p.codes + std::ptrdiff_t{i} * key_width, p.key_scale + first + i,
                          kKeyChunk);
    }
    blank_rows(p.codes, n, key_width, p.key_scale + first, key_runs);
    pack_as_columns(p.codes, key_width, first, key_width / 2, p.keys);
    for (int i = 0; i < n; ++i) {
      fix_row<Role::kValue>(F32Row{args.value + (first + i) * args.value_stride}, args.value_dim,
                            p.codes + std::ptrdiff_t{i} * value_width, p.value_scale + first + i,
                            kKeyChunk);
    }
    blank_rows(p.codes, n, value_width, p.value_scale + first, value_runs);
    pack_as_rows(p.codes, value_width, args.value_dim, first, p.values);
  }
  find_tops(p, args.n_keys, value_runs);
  attend_fixed({{p.key_scale, p.value_scale, p.value_top, key_width / 2, key_runs, args.n_keys,
                 args.value_dim},
                p.keys,
                p.values,
                {{args.key_dim, 0, 0}, {}},
                1},
               args.n_queries, {args.query, args.query_stride_bytes},
               {args.n_keys, args.n_visible, args.choice}, args.partial, p.scratch, {});
}

}  // namespace leyden::simd::LEYDEN_ISA
