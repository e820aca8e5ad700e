#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include "simd/attend.h"
#include "simd/exp.h"
#include "simd/kv_row.h"

namespace leyden::simd::scalar {

KvLoadFn kv_load_f32, kv_load_bf16, kv_load_int8;

namespace {

constexpr float kNothing = -std::numeric_limits<float>::infinity();

/// s becomes p; returns {max, sum}.
std::pair<float, float> exponentiate(float* s, int n) {
  float largest = kNothing;
  for (int k = 0; k < n; ++k) largest = s[k] > largest ? s[k] : largest;
  float lane[16] = {};
  for (int k = 0; k < n; ++k) {
    s[k] = exp_f32(s[k] - largest);
    lane[k % 16] += s[k];
  }
  for (int distance = 8; distance > 0; distance /= 2) {
    for (int i = 0; i < distance; ++i) lane[i] += lane[i + distance];
  }
  return {largest, lane[0]};
}

/// One query over n keys. key(k) and value(k) give rows.
template <typename Key, typename Value>
void attend_one(const AttendPartial& partial, int i, int n, const float* query, int key_dim,
                int value_dim, Key key, Value value) {
  float s[kKeyChunk];
  for (int k = 0; k < n; ++k) {
    const float* row = key(k);
    s[k] = 0;
    for (int d = 0; d < key_dim; ++d) s[k] = std::fma(query[d], row[d], s[k]);
  }
  std::tie(partial.max[i], partial.sum[i]) = exponentiate(s, n);
  float* out = partial.out + i * partial.out_stride;
  std::fill_n(out, value_dim, 0.0f);
  for (int k = 0; k < n; ++k) {
    const float* row = value(k);
    for (int d = 0; d < value_dim; ++d) out[d] = std::fma(s[k], row[d], out[d]);
  }
}

/// Absorbed attention over rows decoded into scratch.
void latent_attend(const LatentAttendArgs& args, KvLoadFn* decode) {
  const int key_dim = args.kv_lora_rank + args.rope_dim;
  auto* decoded = reinterpret_cast<float*>(args.scratch);
  const auto row = [&](int k) { return decoded + std::ptrdiff_t{k} * key_dim; };
  for (int k = 0; k < args.n_keys; ++k) {
    decode(args.rows[k], args.kv_lora_rank, args.rope_dim, row(k));
  }
  for (int i = 0; i < args.n_queries; ++i) {
    const int n = args.n_visible == nullptr ? args.n_keys : args.n_visible[i];
    attend_one(args.partial, i, n, args.query + i * args.query_stride, key_dim, args.kv_lora_rank,
               row, row);
  }
}

}  // namespace

void attend(const AttendArgs& args) noexcept {
  for (int i = 0; i < args.n_queries; ++i) {
    const int n = args.n_visible == nullptr ? args.n_keys : args.n_visible[i];
    attend_one(
        args.partial, i, n, args.query + i * args.query_stride, args.key_dim, args.value_dim,
        [&](int k) { return args.key + k * args.key_stride; },
        [&](int k) { return args.value + k * args.value_stride; });
  }
}

void latent_attend_f32(const LatentAttendArgs& args) noexcept { latent_attend(args, kv_load_f32); }
void latent_attend_bf16(const LatentAttendArgs& args) noexcept {
  latent_attend(args, kv_load_bf16);
}
void latent_attend_int8(const LatentAttendArgs& args) noexcept {
  latent_attend(args, kv_load_int8);
}

void attend_merge(float* max_a, float* sum_a, float* out_a, float max_b, float sum_b,
                  const float* out_b, int n) noexcept {
  const float top = std::max(*max_a, max_b);
  if (top == kNothing) return;  // neither has seen a key
  const float keep = exp_f32(*max_a - top);
  const float take = exp_f32(max_b - top);
  *max_a = top;
  *sum_a = std::fma(take, sum_b, keep * *sum_a);
  for (int i = 0; i < n; ++i) out_a[i] = std::fma(take, out_b[i], keep * out_a[i]);
}

}  // namespace leyden::simd::scalar
