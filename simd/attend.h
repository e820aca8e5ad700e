#pragma once

#include <cstddef>
#include <cstdint>

namespace leyden::simd {

/// Keys of one attention chunk at most. Chunks are cut at multiples of this, counted in the list of
/// keys a query sees, so that the partial results don't depend on who computes them.
constexpr int kKeyChunk = 256;

/// Softmax attention of some queries over one chunk of at most kKeyChunk keys, not yet normalized:
///   s[i][k] = query[i] . key[k] for keys k that query i sees;  max[i] = max_k s[i][k];
///   p = exp(s - max);  sum[i] = sum_k p[k];  out[i] = sum_k p[k] * value[k]
/// It sees the first n_visible[i], and of these, where there is a choice (Choice), only the chosen.
/// A query that sees no key gets max = -infinity, sum = 0, out = 0. The softmax scale is folded
/// into the queries.
/// Exact: a score is one fma per dimension, ascending, from 0; exp is that of simd/exp.h; sum runs
///        over 16 lanes (k mod 16, ascending) folded 8, 4, 2, 1; an output is one fma per key,
///        ascending, from 0. Hence the same bits on every ISA level, but for the payload of a NaN,
///        and a query's bits depend on its own keys only, not on the other queries of the call.
struct AttendPartial {
  float* max = nullptr;  // [n_queries]
  float* sum = nullptr;  // [n_queries]
  float* out = nullptr;  // [n_queries, value width]
  std::ptrdiff_t out_stride = 0;
};

/// Fixed point, for speed: attend_int16, and latent_attend over bf16 and int8 rows. The same
/// attention with the factors of its products rounded to integers and multiplied exactly:
///   A row x is cut into runs of kFixedRun values; a run has the codes rne(x * (limit / max |x|))
///   and the scale max |x| / limit (codes and scale 0 below kSmallestFixed; with an infinity or a
///   NaN among them codes 0 and that as the scale, NaN before infinity, so that no score and no
///   output that it has a part in looks like a number).
///     values: limit = kFixedValueLimit
///     keys, queries: limit = min(kFixedKeyLimit, kFixedNorm / |x / max |x||), Euclidean norm: by
///       Cauchy and Schwarz no sum of products of two such runs, or of one and a run of values,
///       reaches 2^31
///     latents are keys and values at once, with the codes of values
///     int8 latents keep their own codes and scales
///   In a cache row the latent and the rotated key are rows of their own.
///   s    = fma(float(sum of q_code * k_code) * k_scale, q_scale, s), runs ascending, from 0
///   top  = the largest scale of this run of values among the visible keys, NaN above all
///   limit = min(kFixedKeyLimit, kFixedWeightSum / sum)
///   w[k] = rne((p[k] * v_scale[k]) * (limit / top))     (0 if top is below kSmallestFixed or for
///          a NaN, which then is in top / limit)
///   out  = float(sum of w * v_code) * (top / limit)
/// max, p and sum are as above. The sums of weights are limited so that int32 is exact for a whole
/// chunk; hence the same bits on every ISA level.
/// Error of a code, against the standard deviation of its run if that is bell-shaped: keys and
///   queries 1 / 14000, values 1 / 5300; the cache has rounded bf16 latents to 1 / 900, int8 ones
///   to 1 / 160. A weight is off by 1 / 65534 of the chunk's largest if few keys matter, by 1 /
///   4094 if all 256 matter alike.
/// Speed: vpdpwssd does twice the products of an f32 fma, and AMX, which multiplies the two bytes
/// of a
///   code apart, eight times as many; vdpbf16ps, half as many as vpdpwssd on some CPUs, would round
///   p to 8 bits. Queries of 8 bits against int8 latents (vpdpbusd) would save a sixth
///   of the time, and were measurably worse (docs/design.md).
constexpr int kFixedRun = 128;
constexpr float kFixedKeyLimit = 32767.0f;
constexpr float kFixedNorm = 46330.0f;        // (this + sqrt(128) / 2 for rounding)^2 < 2^31
constexpr float kFixedValueLimit = 4095.0f;   // sqrt(128) * this < kFixedNorm
constexpr float kFixedWeightSum = 524000.0f;  // (this + 256 / 2) * kFixedValueLimit < 2^31
constexpr float kSmallestFixed = 1e-30f;

/// A query for fixed point, made once for all chunks: the codes of x [n_first] and of x [n_second]
/// behind it, which is a row of its own, each zero-padded to whole kFixedStep, then the scales of
/// their runs. row: fixed_query_bytes(n_first, n_second), a multiple of 64.
using FixQueryFn = void(const float* x, int n_first, int n_second, std::byte* row) noexcept;
constexpr int kFixedStep = 32;
std::size_t fixed_query_bytes(int n_first, int n_second);

/// Which of the first n_visible keys queries see: query i key k if bit k % 32 of
/// words[i * stride + k / 32] is set; all of them without words.
struct Choice {
  const std::uint32_t* words = nullptr;
  std::ptrdiff_t stride = 0;

  [[gnu::always_inline]] bool has(int query, int key) const {
    return words == nullptr || (words[query * stride + key / 32] >> key % 32 & 1) != 0;
  }
  /// That of queries from `first` on.
  [[gnu::always_inline]] Choice from(int first) const {
    return {words == nullptr ? nullptr : words + first * stride, stride};
  }
};
constexpr int kChoiceWords = kKeyChunk / 32;

/// Decompressed MLA, one head: queries are tokens, keys and values are that head's own. attend is
/// in f32, attend_int16 in fixed point.
struct AttendArgs {
  int n_queries = 0, n_keys = 0, key_dim = 0, value_dim = 0;
  // [n_queries]: f32 [key_dim]; fixed point: what fix_query makes of key_dim and 0 values
  const std::byte* query = nullptr;
  std::ptrdiff_t query_stride_bytes = 0;
  const float* key = nullptr;  // [n_keys, key_dim]
  std::ptrdiff_t key_stride = 0;
  const float* value = nullptr;  // [n_keys, value_dim]
  std::ptrdiff_t value_stride = 0;
  const std::int32_t* n_visible = nullptr;  // [n_queries], each <= n_keys; null: all
  Choice choice;                            // [n_queries]
  AttendPartial partial;
  std::byte* scratch = nullptr;  // attend_scratch_bytes(...), 64-byte aligned
};
using AttendFn = void(const AttendArgs& args) noexcept;

/// Absorbed MLA: queries are heads (of one token, or of several that share the keys); a key is the
/// cached latent followed by the rotated key, a value is the latent (NUMERICS 4.4).
struct LatentAttendArgs {
  int n_queries = 0, n_keys = 0, kv_lora_rank = 0, rope_dim = 0;
  // [n_queries]: f32 [kv_lora_rank + rope_dim]; fixed point: what fix_query makes of kv_lora_rank
  // and rope_dim values
  const std::byte* query = nullptr;
  std::ptrdiff_t query_stride_bytes = 0;
  const std::byte* const* rows = nullptr;   // [n_keys] cache rows (simd/kv_row.h)
  const std::int32_t* n_visible = nullptr;  // [n_queries], each <= n_keys; null: all
  // Rows that this thread will want next, [n_next_rows]: asked for while these are multiplied,
  // because chosen tokens lie anywhere in memory and the first call waits for each line.
  const std::byte* const* next_rows = nullptr;
  int n_next_rows = 0;
  AttendPartial partial;
  std::byte* scratch = nullptr;  // latent_attend_scratch_bytes(...), 64-byte aligned
};
using LatentAttendFn = void(const LatentAttendArgs& args) noexcept;

/// Folds partial result b into a for one query: m = max(a.max, b.max), both scaled by exp(. - m).
/// Called for ascending chunks. out: [n]. While neither has a score but NaN (m = -infinity), they
/// are added: zeros, or the NaN that such a score has made.
using AttendMergeFn = void(float* max_a, float* sum_a, float* out_a, float max_b, float sum_b,
                           const float* out_b, int n) noexcept;

/// Bytes of scratch for one chunk of keys and at most these sizes, on any ISA level.
std::size_t attend_scratch_bytes(int n_queries, int key_dim, int value_dim);
std::size_t latent_attend_scratch_bytes(int n_queries, int kv_lora_rank, int rope_dim);

}  // namespace leyden::simd
