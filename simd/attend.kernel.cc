#include "simd/attend_core.h"

namespace leyden::simd::LEYDEN_ISA {

void attend(const AttendArgs& args) noexcept {
  auto* keys = reinterpret_cast<float*>(args.scratch);
  float* values = keys + std::ptrdiff_t{kKeyChunk} * args.key_dim;
  const int value_width = (args.value_dim + kPanel - 1) / kPanel * kPanel;
  float* scores = values + std::ptrdiff_t{kKeyChunk} * value_width;
  for (int first = 0; first < args.n_keys; first += 16) {
    const int n = args.n_keys - first < 16 ? args.n_keys - first : 16;
    const float* row[16];
    for (int i = 0; i < n; ++i) {
      row[i] = args.key + (first + i) * args.key_stride;
      pack_value(args.value + (first + i) * args.value_stride, args.value_dim, first + i,
                 args.n_keys, values);
    }
    pack_keys(row, n, first, args.key_dim, keys);
  }
  attend_packed({keys, values, args.n_keys, args.key_dim, args.value_dim}, args.n_queries,
                reinterpret_cast<const float*>(args.query), args.query_stride_bytes / 4,
                {args.n_keys, args.n_visible, args.choice}, args.partial, scores);
}

/// bf16 and int8 rows: simd/attend_fixed.kernel.cc.
void latent_attend_f32(const LatentAttendArgs& args) noexcept {
  const int key_dim = args.kv_lora_rank + args.rope_dim;
  const int value_width = (args.kv_lora_rank + kPanel - 1) / kPanel * kPanel;
  auto* keys = reinterpret_cast<float*>(args.scratch);
  float* values = keys + std::ptrdiff_t{kKeyChunk} * key_dim;
  float* scores = values + std::ptrdiff_t{kKeyChunk} * value_width;
  for (int first = 0; first < args.n_keys; first += 16) {
    const int n = args.n_keys - first < 16 ? args.n_keys - first : 16;
    const float* row[16];
    for (int i = 0; i < n; ++i) {
      row[i] = reinterpret_cast<const float*>(args.rows[first + i]);
      pack_value(row[i], args.kv_lora_rank, first + i, args.n_keys, values);
    }
    pack_keys(row, n, first, key_dim, keys);
  }
  attend_packed({keys, values, args.n_keys, key_dim, args.kv_lora_rank}, args.n_queries,
                reinterpret_cast<const float*>(args.query), args.query_stride_bytes / 4,
                {args.n_keys, args.n_visible, {}}, args.partial, scores);
}

void attend_merge(float* max_a, float* sum_a, float* out_a, float max_b, float sum_b,
                  const float* out_b, int n) noexcept {
  const float top = *max_a > max_b ? *max_a : max_b;
  if (top == -__builtin_inff()) {  // neither has seen a key, but for scores that are NaN
    *sum_a += sum_b;
    for (int i = 0; i < n; i += 16) {
      store_first(out_a + i, load_first(out_a + i, n - i) + load_first(out_b + i, n - i), n - i);
    }
    return;
  }
  const F32x16 keep = exp_f32(broadcast(*max_a - top));
  const F32x16 take = exp_f32(broadcast(max_b - top));
  *max_a = top;
  *sum_a = first_lane(fma(take, broadcast(sum_b), keep * broadcast(*sum_a)));
  for (int i = 0; i < n; i += 16) {
    const F32x16 merged =
        fma(take, load_first(out_b + i, n - i), keep * load_first(out_a + i, n - i));
    store_first(out_a + i, merged, n - i);
  }
}

}  // namespace leyden::simd::LEYDEN_ISA
