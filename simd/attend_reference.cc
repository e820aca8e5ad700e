#include <algorithm>
#include <cmath>
#include <limits>

#include "simd/attend.h"
#include "simd/attend_softmax.h"

namespace leyden::simd::scalar {

namespace {

constexpr float kNothing = -std::numeric_limits<float>::infinity();

template <typename Args>
const float* query_of(const Args& args, int i) {
  return reinterpret_cast<const float*>(args.query + i * args.query_stride_bytes);
}

/// One query over those of n keys that it sees. key(k) and value(k) give rows.
template <typename Key, typename Value>
void attend_one(const AttendPartial& partial, int i, int n, const Choice& choice,
                const float* query, int key_dim, int value_dim, Key key, Value value) {
  float s[kKeyChunk];
  for (int k = 0; k < n; ++k) {
    const float* row = key(k);
    s[k] = 0;
    for (int d = 0; d < key_dim; ++d) s[k] = std::fma(query[d], row[d], s[k]);
  }
  exponentiate(s, n, choice, partial.max + i, partial.sum + i);
  float* out = partial.out + i * partial.out_stride;
  std::fill_n(out, value_dim, 0.0f);
  for (int k = 0; k < n; ++k) {
    if (!choice.has(0, k)) continue;
    const float* row = value(k);
    for (int d = 0; d < value_dim; ++d) out[d] = std::fma(s[k], row[d], out[d]);
  }
}

}  // namespace

void attend(const AttendArgs& args) noexcept {
  for (int i = 0; i < args.n_queries; ++i) {
    const int n = args.n_visible == nullptr ? args.n_keys : args.n_visible[i];
    attend_one(
        args.partial, i, n, args.choice.from(i), query_of(args, i), args.key_dim, args.value_dim,
        [&](int k) { return args.key + k * args.key_stride; },
        [&](int k) { return args.value + k * args.value_stride; });
  }
}

void latent_attend_f32(const LatentAttendArgs& args) noexcept {
  const auto row = [&](int k) { return reinterpret_cast<const float*>(args.rows[k]); };
  for (int i = 0; i < args.n_queries; ++i) {
    const int n = args.n_visible == nullptr ? args.n_keys : args.n_visible[i];
    attend_one(args.partial, i, n, {}, query_of(args, i), args.kv_lora_rank + args.rope_dim,
               args.kv_lora_rank, row, row);
  }
}

void attend_merge(float* max_a, float* sum_a, float* out_a, float max_b, float sum_b,
                  const float* out_b, int n) noexcept {
  const float top = std::max(*max_a, max_b);
  if (top == kNothing) {  // neither has seen a key, but for scores that are NaN
    *sum_a += sum_b;
    for (int i = 0; i < n; ++i) out_a[i] += out_b[i];
    return;
  }
  const float keep = exp_f32(*max_a - top);
  const float take = exp_f32(max_b - top);
  *max_a = top;
  *sum_a = std::fma(take, sum_b, keep * *sum_a);
  for (int i = 0; i < n; ++i) out_a[i] = std::fma(take, out_b[i], keep * out_a[i]);
}

}  // namespace leyden::simd::scalar
