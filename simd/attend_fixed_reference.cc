#include <algorithm>
#include <cmath>
#include <cstring>

#include "simd/attend_softmax.h"
#include "simd/kv_row.h"
#include "simd/magnitude.h"
#include "simd/reference_lanes.h"

// The fixed-point form of attend.h in plain loops.
namespace leyden::simd::scalar {

KvLoadFn kv_load_bf16, kv_load_int8;

namespace {

int n_runs(int width) { return (width + kFixedRun - 1) / kFixedRun; }

/// What bounds the codes of a row.
enum class Role { kKey, kValue };

/// Rows in fixed point: codes [rows, width], scale [rows, n_runs(width)].
struct FixedRows {
  int width = 0;
  std::int16_t* codes = nullptr;
  float* scale = nullptr;

  std::int16_t* row(int i) const { return codes + std::ptrdiff_t{i} * width; }
  float* scales(int i) const { return scale + std::ptrdiff_t{i} * n_runs(width); }

  void fix(int i, const float* x, Role role) const {
    for (int run = 0; run < n_runs(width); ++run) {
      const int begin = run * kFixedRun, n = std::min(kFixedRun, width - begin);
      scales(i)[run] = fix_run(x + begin, n, role, row(i) + begin);
    }
  }

  /// Returns the scale.
  static float fix_run(const float* x, int n, Role role, std::int16_t* code) {
    Magnitude magnitude;
    for (int d = 0; d < n; ++d) magnitude.add(x[d]);
    const float max_abs = magnitude.max_abs();
    const bool is_finite = max_abs <= kLargestQuantized;
    if (!is_finite || max_abs < kSmallestFixed) {
      std::fill_n(code, n, std::int16_t{0});
      return is_finite ? 0 : max_abs;
    }
    const float inverse = 1.0f / max_abs;
    float limit = kFixedValueLimit;
    if (role == Role::kKey) {
      Lanes squares;
      for (int d = 0; d < n; ++d) {
        squares[d] = std::fma(x[d] * inverse, x[d] * inverse, squares[d]);
      }
      limit = std::min(kFixedNorm / std::sqrt(squares.fold()), kFixedKeyLimit);
    }
    const float factor = limit * inverse;
    for (int d = 0; d < n; ++d) code[d] = static_cast<std::int16_t>(std::lrint(x[d] * factor));
    return max_abs / limit;
  }
};

/// Cuts the caller's scratch into pieces.
struct Memory {
  std::byte* next;
  template <typename T>
  T* take(std::ptrdiff_t n) {
    T* piece = reinterpret_cast<T*>(next);
    next += (n * static_cast<std::ptrdiff_t>(sizeof(T)) + 63) / 64 * 64;
    return piece;
  }
  FixedRows rows(int n, int width) {
    auto* codes = take<std::int16_t>(std::ptrdiff_t{n} * width);
    return {width, codes, take<float>(std::ptrdiff_t{n} * n_runs(width))};
  }
};

int padded(int width) { return (width + kFixedStep - 1) / kFixedStep * kFixedStep; }

/// Both parts of a row of fix_query.
struct FixedQuery {
  FixedRows first, second;
  FixedQuery(std::byte* row, int n_first, int n_second) {
    auto* codes = reinterpret_cast<std::int16_t*>(row);
    auto* scale = reinterpret_cast<float*>(codes + padded(n_first) + padded(n_second));
    first = {n_first, codes, scale};
    second = {n_second, codes + padded(n_first), scale + n_runs(n_first)};
  }
  template <typename Args>
  static FixedQuery of(const Args& args, int i, int n_first, int n_second) {
    // Only read from here on.
    auto* row = const_cast<std::byte*>(args.query + i * args.query_stride_bytes);
    return {row, n_first, n_second};
  }
};

/// score[k] gets the runs of one section.
void add_scores(const FixedRows& query, const FixedRows& keys, int n, float* score) {
  for (int k = 0; k < n; ++k) {
    for (int run = 0; run < n_runs(keys.width); ++run) {
      std::int32_t sum = 0;
      for (int d = run * kFixedRun; d < std::min((run + 1) * kFixedRun, keys.width); ++d) {
        sum += query.row(0)[d] * keys.row(k)[d];
      }
      score[k] =
          std::fma(static_cast<float>(sum) * keys.scales(k)[run], query.scales(0)[run], score[k]);
    }
  }
}

/// out = sum of p[k] * values[k] over those of n keys that are seen; p_sum = sum of p.
void mix_values(const float* p, float p_sum, const FixedRows& values, int n, const Choice& choice,
                float* out) {
  const float limit = std::min(kFixedWeightSum / p_sum, kFixedKeyLimit);
  for (int run = 0; run < n_runs(values.width); ++run) {
    float top = 0;
    for (int k = 0; k < n; ++k) {
      const float scale = values.scales(k)[run];
      if (!choice.has(0, k)) continue;
      if (scale > top || std::isnan(scale)) top = scale;
    }
    const bool is_zero = top < kSmallestFixed;
    const float factor = is_zero ? 0.0f : limit / top;
    const float scale = is_zero ? 0.0f : top / limit;
    for (int d = run * kFixedRun; d < std::min((run + 1) * kFixedRun, values.width); ++d) {
      std::int32_t sum = 0;
      for (int k = 0; k < n; ++k) {
        if (!choice.has(0, k)) continue;
        const float w = p[k] * values.scales(k)[run] * factor;
        if (std::isnan(w)) continue;  // the scale says so for the output
        sum += static_cast<std::int32_t>(std::lrint(w)) * values.row(k)[d];
      }
      out[d] = static_cast<float>(sum) * scale;
    }
  }
}

/// Absorbed attention; fix_latent(k, latents) fills row k of the latents, decode gives the rest.
template <typename FixLatent>
void latent_attend(const LatentAttendArgs& args, KvLoadFn* decode, FixLatent fix_latent) {
  Memory memory{args.scratch};
  const FixedRows latents = memory.rows(args.n_keys, args.kv_lora_rank);
  const FixedRows ropes = memory.rows(args.n_keys, args.rope_dim);
  auto* decoded = memory.take<float>(args.kv_lora_rank + args.rope_dim);
  for (int k = 0; k < args.n_keys; ++k) {
    decode(args.rows[k], args.kv_lora_rank, args.rope_dim, decoded);
    fix_latent(k, latents, decoded);
    ropes.fix(k, decoded + args.kv_lora_rank, Role::kKey);
  }
  for (int i = 0; i < args.n_queries; ++i) {
    const int n = args.n_visible == nullptr ? args.n_keys : args.n_visible[i];
    const auto query = FixedQuery::of(args, i, args.kv_lora_rank, args.rope_dim);
    float score[kKeyChunk] = {};
    add_scores(query.first, latents, n, score);
    add_scores(query.second, ropes, n, score);
    exponentiate(score, n, {}, args.partial.max + i, args.partial.sum + i);
    mix_values(score, args.partial.sum[i], latents, n, {},
               args.partial.out + i * args.partial.out_stride);
  }
}

}  // namespace

void latent_attend_bf16(const LatentAttendArgs& args) noexcept {
  latent_attend(args, kv_load_bf16, [](int k, const FixedRows& latents, const float* decoded) {
    latents.fix(k, decoded, Role::kValue);
  });
}

void latent_attend_int8(const LatentAttendArgs& args) noexcept {
  latent_attend(args, kv_load_int8, [&](int k, const FixedRows& latents, const float*) {
    const auto* codes = reinterpret_cast<const std::int8_t*>(args.rows[k]);
    std::copy_n(codes, latents.width, latents.row(k));
    std::memcpy(latents.scales(k), args.rows[k] + (latents.width + 3) / 4 * 4,
                static_cast<std::size_t>(n_runs(latents.width)) * 4);
  });
}

void fix_query(const float* x, int n_first, int n_second, std::byte* row) noexcept {
  const FixedQuery query(row, n_first, n_second);
  std::memset(row, 0, static_cast<std::size_t>(padded(n_first) + padded(n_second)) * 2);
  query.first.fix(0, x, Role::kKey);
  query.second.fix(0, x + n_first, Role::kKey);
}

void attend_int16(const AttendArgs& args) noexcept {
  Memory memory{args.scratch};
  const FixedRows keys = memory.rows(args.n_keys, args.key_dim);
  const FixedRows values = memory.rows(args.n_keys, args.value_dim);
  for (int k = 0; k < args.n_keys; ++k) {
    keys.fix(k, args.key + k * args.key_stride, Role::kKey);
    values.fix(k, args.value + k * args.value_stride, Role::kValue);
  }
  for (int i = 0; i < args.n_queries; ++i) {
    const int n = args.n_visible == nullptr ? args.n_keys : args.n_visible[i];
    const auto query = FixedQuery::of(args, i, args.key_dim, 0);
    float score[kKeyChunk] = {};
    add_scores(query.first, keys, n, score);
    const Choice choice = args.choice.from(i);
    exponentiate(score, n, choice, args.partial.max + i, args.partial.sum + i);
    mix_values(score, args.partial.sum[i], values, n, choice,
               args.partial.out + i * args.partial.out_stride);
  }
}

}  // namespace leyden::simd::scalar
