#include "src/model/dense_attention.h"

#include <algorithm>
#include <cstring>

#include "src/runtime/index.h"

namespace leyden::model {
namespace {

/// Keys of one round: their latents are quantized once and then read by every head.
constexpr std::int32_t kRoundKeys = 8 * simd::kKeyChunk;

constexpr std::ptrdiff_t kRoundWords = kRoundKeys / 32;

/// Multiplications that decompression does while attention does one, about (see attention.cc).
constexpr std::int64_t kDecompressionSpeed = 2;

std::size_t floats(std::int64_t n) { return index((n + 15) / 16 * 16) * sizeof(float); }

simd::KvLoadFn* load_kernel(simd::KvFormat format) {
  const simd::Kernels& k = simd::kernels();
  switch (format) {
    case simd::KvFormat::kF32:
      return k.kv_load_f32;
    case simd::KvFormat::kBf16:
      return k.kv_load_bf16;
    case simd::KvFormat::kInt8:
      return k.kv_load_int8;
  }
  return nullptr;
}

/// An f32 cache is for comparison: nothing is rounded that need not be. The other formats have
/// rounded keys and values more coarsely than fixed point does.
bool is_fixed(simd::KvFormat format) { return format != simd::KvFormat::kF32; }

}  // namespace

int query_blocks(int heads, std::int64_t decompressing, std::int64_t attending, int n_threads) {
  int best = 1;
  std::int64_t least = 0;
  for (int n = 1; n <= kMostQueryBlocks; ++n) {
    const int rounds = (heads * n + n_threads - 1) / n_threads;
    const std::int64_t cost = rounds * (decompressing + attending / n);
    if (n > 1 && cost >= least) continue;
    best = n;
    least = cost;
  }
  return best;
}

DenseAttention::DenseAttention(const formats::ModelConfig& config, simd::KvFormat format,
                               int max_tokens, const runtime::Crew& crew, ActivationNeeds needs)
    : c_(&config), format_(format), max_tokens_(max_tokens) {
  latents_ =
      Panels(crew, kRoundKeys, std::int64_t{kRoundKeys} * blocks_of(config.kv_lora_rank), needs);
  rope_keys_ = runtime::Array<float>(index(kRoundKeys) * index(config.qk_rope_head_dim));
  max_ = runtime::Array<float>(index(config.num_attention_heads) * index(max_tokens));
  sum_ = runtime::Array<float>(index(config.num_attention_heads) * index(max_tokens));

  if (config.has_indexer()) {
    chosen_ = runtime::Array<std::uint32_t>(index(max_tokens) * index(kRoundWords));
  }

  const std::int64_t tokens = max_tokens;
  key_offset_ = simd::kMatmulScratchBytes;
  value_offset_ = key_offset_ + floats(std::int64_t{simd::kKeyChunk} * config.qk_head_dim());
  partial_offset_ = value_offset_ + floats(std::int64_t{simd::kKeyChunk} * config.v_head_dim);
  visible_offset_ = partial_offset_ + floats(tokens * (config.v_head_dim + 2));
  row_offset_ = visible_offset_ + floats(tokens);
  query_offset_ = row_offset_ + floats(config.kv_lora_rank + config.qk_rope_head_dim);
  attend_offset_ =
      query_offset_ +
      (is_fixed(format) ? index(tokens) * simd::fixed_query_bytes(config.qk_head_dim(), 0) : 0);
  scratch_ = runtime::Scratch(
      crew, attend_offset_ +
                simd::attend_scratch_bytes(max_tokens, config.qk_head_dim(), config.v_head_dim));
}

void DenseAttention::run(runtime::ThreadTeam& team, const AttentionWeights& w, const KvCache& cache,
                         int layer, std::int32_t first_position, int n, const float* q,
                         const std::function<VisibleKeys(int)>& keys, float* mixed) {
  const int heads = c_->num_attention_heads, v = c_->v_head_dim;
  const std::int32_t end = first_position + n;
  has_choice_ = keys(n - 1).positions != nullptr;  // only the first queries see everything
  for (std::int32_t first_key = 0; first_key < end; first_key += kRoundKeys) {
    const int n_keys = std::min(kRoundKeys, end - first_key);
    load_keys(team, cache, layer, first_key, n_keys);
    if (has_choice_) mark_chosen(team, first_key, n, keys);
    const int n_blocks = cut_queries(first_position, n, first_key, n_keys, team.size());
    team.run(
        heads * n_blocks,
        [&](int piece, int worker) {
          // From the last on, in which queries are the fewest and keys the most.
          const int block = n_blocks - 1 - piece / heads;
          attend_head(w, first_position, block_begin_[index(block)], block_begin_[index(block + 1)],
                      first_key, n_keys, piece % heads, q, mixed, worker, team.node_of(worker));
        },
        [&](int piece) { return w.k_b[piece % heads].node_of(0); });
  }
  team.run(n, [&](int t, int) {
    for (int head = 0; head < heads; ++head) {
      float* const out = mixed + (std::ptrdiff_t{t} * heads + head) * v;
      const float scale = 1.0f / sum_[index(head * max_tokens_ + t)];
      for (int i = 0; i < v; ++i) out[i] *= scale;
    }
  });
}

/// What queries have chosen of a round's keys; all of them, where they see everything.
void DenseAttention::mark_chosen(runtime::ThreadTeam& team, std::int32_t first_key, int n,
                                 const std::function<VisibleKeys(int)>& keys) {
  constexpr int kQueriesPerPiece = 16;
  team.run((n + kQueriesPerPiece - 1) / kQueriesPerPiece, [&](int piece, int) {
    const int end = std::min(n, (piece + 1) * kQueriesPerPiece);
    for (int t = piece * kQueriesPerPiece; t < end; ++t) {
      std::uint32_t* const words = chosen_.data() + t * kRoundWords;
      const VisibleKeys sees = keys(t);
      std::fill_n(words, kRoundWords, sees.positions == nullptr ? ~std::uint32_t{0} : 0);
      if (sees.positions == nullptr) continue;
      const std::int32_t* const stop = sees.positions + sees.n;
      const std::int32_t* next = std::lower_bound(sees.positions, stop, first_key);
      for (; next != stop && *next - first_key < kRoundKeys; ++next) {
        const std::int32_t key = *next - first_key;
        words[key / 32] |= std::uint32_t{1} << key % 32;
      }
    }
  });
}

/// Cuts the queries into blocks that see equally many of a round's keys; returns how many.
int DenseAttention::cut_queries(std::int32_t first_position, int n, std::int32_t first_key,
                                int n_keys, int n_threads) {
  const std::int64_t nope = c_->qk_nope_head_dim, v = c_->v_head_dim;
  const auto keys_of = [&](int t) {
    return std::clamp(first_position + t + 1 - first_key, 0, n_keys);
  };
  std::int64_t pairs = 0;
  for (int t = 0; t < n; ++t) pairs += keys_of(t);
  const int n_blocks = query_blocks(c_->num_attention_heads,
                                    n_keys * c_->kv_lora_rank * (nope + v) / kDecompressionSpeed,
                                    pairs * (nope + c_->qk_rope_head_dim + v), n_threads);
  int block = 0;
  std::int64_t before = 0;
  for (int t = 0; t < n; ++t) {
    for (; block < n_blocks && before * n_blocks >= block * pairs; ++block) {
      block_begin_[index(block)] = t;
    }
    before += keys_of(t);
  }
  for (; block <= n_blocks; ++block) block_begin_[index(block)] = n;
  return n_blocks;
}

void DenseAttention::load_keys(runtime::ThreadTeam& team, const KvCache& cache, int layer,
                               std::int32_t first_key, int n_keys) {
  const int latent = c_->kv_lora_rank, rope = c_->qk_rope_head_dim;
  latents_.reset(n_keys, latent);
  constexpr int kKeysPerPiece = 32;
  team.run((n_keys + kKeysPerPiece - 1) / kKeysPerPiece, [&](int piece, int worker) {
    auto* const row = reinterpret_cast<float*>(scratch_.of(worker) + row_offset_);
    const int end = std::min(n_keys, (piece + 1) * kKeysPerPiece);
    for (int key = piece * kKeysPerPiece; key < end; ++key) {
      load_kernel(format_)(cache.row(layer, first_key + key), latent, rope, row);
      latents_.set_row(key, row);
      std::memcpy(rope_keys_.data() + std::ptrdiff_t{key} * rope, row + latent,
                  index(rope) * sizeof(float));
    }
  });
}

void DenseAttention::attend_head(const AttentionWeights& w, std::int32_t first_position, int begin,
                                 int end, std::int32_t first_key, int n_keys, int head,
                                 const float* q, float* mixed, int worker, int node) {
  const simd::Kernels& k = simd::kernels();
  const int heads = c_->num_attention_heads, nope = c_->qk_nope_head_dim;
  const int rope = c_->qk_rope_head_dim, v = c_->v_head_dim, dim = nope + rope;
  std::byte* const scratch = scratch_.of(worker);
  auto* const keys = reinterpret_cast<float*>(scratch + key_offset_);
  auto* const values = reinterpret_cast<float*>(scratch + value_offset_);
  auto* const part = reinterpret_cast<float*>(scratch + partial_offset_);
  float* const part_max = part + std::ptrdiff_t{max_tokens_} * v;
  float* const part_sum = part_max + max_tokens_;
  auto* const visible = reinterpret_cast<std::int32_t*>(scratch + visible_offset_);
  float* const max = max_.data() + std::ptrdiff_t{head} * max_tokens_;
  float* const sum = sum_.data() + std::ptrdiff_t{head} * max_tokens_;
  const std::ptrdiff_t token_stride = std::ptrdiff_t{heads} * v;
  float* const out = mixed + std::ptrdiff_t{head} * v;

  simd::AttendFn* const attend = is_fixed(format_) ? k.attend_int16 : k.attend;
  const float* const head_q = q + std::ptrdiff_t{head} * dim;
  const std::ptrdiff_t q_stride = std::ptrdiff_t{heads} * dim;
  auto* const fixed = scratch + query_offset_;
  const auto fixed_stride = static_cast<std::ptrdiff_t>(simd::fixed_query_bytes(dim, 0));
  for (int t = std::max(begin, first_key - first_position); is_fixed(format_) && t < end; ++t) {
    k.fix_query(head_q + t * q_stride, dim, 0, fixed + t * fixed_stride);
  }

  for (int chunk = 0; chunk < n_keys; chunk += simd::kKeyChunk) {
    const std::int32_t chunk_key = first_key + chunk;
    const int chunk_keys = std::min(simd::kKeyChunk, n_keys - chunk);
    // Queries before the chunk's first key see nothing of it.
    const int first = std::max(begin, chunk_key - first_position);
    if (first >= end) return;
    for (int t = first; t < end; ++t) {
      visible[t] = std::min(first_position + t + 1 - chunk_key, chunk_keys);
    }

    const ActivationNeeds needs = needs_of(w.k_b) | needs_of(w.v_b);
    const PanelSpan in =
        latents_.on(node, needs)
            .subspan(index(chunk / simd::kPanelTokens),
                     index((chunk_keys + simd::kPanelTokens - 1) / simd::kPanelTokens));
    multiply_rows(w.k_b[head], 0, nope, in, keys, dim, scratch);
    multiply_rows(w.v_b[head], 0, v, in, values, v, scratch);
    for (int key = 0; key < chunk_keys; ++key) {
      std::memcpy(keys + std::ptrdiff_t{key} * dim + nope,
                  rope_keys_.data() + std::ptrdiff_t{chunk + key} * rope,
                  index(rope) * sizeof(float));
    }

    simd::AttendArgs args;
    args.n_queries = end - first;
    args.n_keys = chunk_keys;
    args.key_dim = dim;
    args.value_dim = v;
    if (is_fixed(format_)) {
      args.query = fixed + first * fixed_stride;
      args.query_stride_bytes = fixed_stride;
    } else {
      args.query = reinterpret_cast<const std::byte*>(head_q + first * q_stride);
      args.query_stride_bytes = q_stride * std::ptrdiff_t{sizeof(float)};
    }
    args.key = keys;
    args.key_stride = dim;
    args.value = values;
    args.value_stride = v;
    args.n_visible = visible + first;
    if (has_choice_) {
      args.choice = simd::Choice{chosen_.data() + chunk / 32, kRoundWords}.from(first);
    }
    args.scratch = scratch + attend_offset_;
    if (chunk_key == 0) {  // the first chunk goes where the others are merged into
      args.partial = {max + first, sum + first, out + first * token_stride, token_stride};
      attend(args);
      continue;
    }
    args.partial = {part_max, part_sum, part, v};
    attend(args);
    for (int t = first; t < end; ++t) {
      const int i = t - first;
      k.attend_merge(max + t, sum + t, out + t * token_stride, part_max[i], part_sum[i],
                     part + std::ptrdiff_t{i} * v, v);
    }
  }
}

}  // namespace leyden::model
