#include "src/model/latent_attention.h"

#include <algorithm>
#include <cstring>

#include "src/runtime/index.h"

namespace leyden::model {
namespace {

/// Queries taken into latent space at a time, where threads allow.
constexpr int kBlockTokens = 32;
/// Chunks of one query computed side by side, then merged.
constexpr int kSlots = 32;
/// What gathering and packing the rows of a chunk costs, in heads (bench/attend_bench).
constexpr int kPackingInHeads = 32;
/// What merging a query's chunks costs beside them, starting to included, in heads.
constexpr int kMergingInHeads = 16;
/// Heads that the kernels multiply at once.
constexpr int kHeadsAtOnce = 8;

/// What serving all heads of n_items costs, so many heads a call, in heads of one thread.
int calls_cost(int heads, int heads_of_call, int n_items, int n_threads) {
  const int calls = (heads + heads_of_call - 1) / heads_of_call * n_items;
  return (calls + n_threads - 1) / n_threads * (kPackingInHeads + heads_of_call);
}

/// Of n queries; a head and a panel are a piece of the products before and after attention.
int panels_of(int n) { return (n + simd::kPanelTokens - 1) / simd::kPanelTokens; }

/// Of a partial result: max, sum and out of every head.
std::size_t slot_floats(const formats::ModelConfig& config) {
  return index(config.num_attention_heads) * (2 + index(config.kv_lora_rank));
}

simd::LatentAttendFn* attend_kernel(simd::KvFormat format) {
  const simd::Kernels& k = simd::kernels();
  switch (format) {
    case simd::KvFormat::kF32:
      return k.latent_attend_f32;
    case simd::KvFormat::kBf16:
      return k.latent_attend_bf16;
    case simd::KvFormat::kInt8:
      return k.latent_attend_int8;
  }
  return nullptr;
}

}  // namespace

int queries_at_a_time(int max_tokens, int n_threads) {
  return std::min(max_tokens, (kBlockTokens + n_threads - 1) / n_threads * n_threads);
}

int heads_per_call(int heads, int n_items, int n_threads) {
  int best = heads, least = 0;
  for (int n_calls = 1; n_calls <= heads; ++n_calls) {  // for an item
    const int at_once = (heads + n_calls - 1) / n_calls;
    const int n = std::min(heads, (at_once + kHeadsAtOnce - 1) / kHeadsAtOnce * kHeadsAtOnce);
    const int cost = calls_cost(heads, n, n_items, n_threads);
    if (n_calls > 1 && cost >= least) continue;
    best = n;
    least = cost;
  }
  return best;
}

bool side_by_side_pays(int heads, int n_queries, int n_chunks, int n_threads) {
  const int at_once = std::min(n_chunks, kSlots);
  const int of_chunk = heads_per_call(heads, at_once, n_threads);
  const int of_query = heads_per_call(heads, n_queries, n_threads);
  const int side_by_side = n_chunks / at_once * calls_cost(heads, of_chunk, at_once, n_threads) +
                           calls_cost(heads, of_chunk, n_chunks % at_once, n_threads) +
                           kMergingInHeads;
  return n_queries * side_by_side < n_chunks * calls_cost(heads, of_query, n_queries, n_threads);
}

LatentAttention::LatentAttention(const formats::ModelConfig& config, simd::KvFormat format,
                                 int max_tokens, const runtime::Crew& crew, ActivationNeeds needs)
    : c_(&config), format_(format), block_tokens_(queries_at_a_time(max_tokens, crew.size())) {
  const std::size_t heads = index(config.num_attention_heads);
  const std::size_t latent = index(config.kv_lora_rank);
  const std::size_t rope = index(config.qk_rope_head_dim);
  const std::size_t block = index(block_tokens_);
  const std::size_t float_bytes = (latent + rope) * sizeof(float);
  query_bytes_ = format == simd::KvFormat::kF32
                     ? float_bytes
                     : simd::fixed_query_bytes(config.kv_lora_rank, config.qk_rope_head_dim);
  query_ = runtime::Exchange(crew, block * heads * query_bytes_);
  max_ = runtime::Array<float>(block * heads);
  sum_ = runtime::Array<float>(block * heads);
  out_ = runtime::Array<float>(block * heads * latent);
  // Side by side, kSlots chunks of all heads; one by one, a chunk of some heads per thread.
  const std::size_t slots = index(std::max(kSlots, crew.size()));
  slots_ = runtime::NodeBuffers(crew, slots * slot_floats(config) * sizeof(float));

  const int widest = std::max({config.kv_lora_rank, config.qk_nope_head_dim});
  const runtime::Crew one_thread = runtime::unbound_crew(1);
  const int part = std::min(block_tokens_, simd::kPanelTokens);
  for (int i = 0; i < crew.size(); ++i) {
    panels_.emplace_back(one_thread, part, std::int64_t{part} * blocks_of(widest), needs);
  }
  attend_offset_ = simd::kMatmulScratchBytes;
  row_offset_ = attend_offset_ + simd::latent_attend_scratch_bytes(config.num_attention_heads,
                                                                   config.kv_lora_rank,
                                                                   config.qk_rope_head_dim);
  query_offset_ = row_offset_ + 2 * simd::kKeyChunk * sizeof(const std::byte*);
  scratch_ = runtime::Scratch(crew, query_offset_ + index(part) * float_bytes);
}

LatentAttention::Partial LatentAttention::result(int t) const {
  const std::size_t first = index(t) * index(c_->num_attention_heads);
  return {max_.data() + first, sum_.data() + first, out_.data() + first * index(c_->kv_lora_rank)};
}

std::size_t LatentAttention::query_offset(int t, int head) const {
  return (index(t) * index(c_->num_attention_heads) + index(head)) * query_bytes_;
}

LatentAttention::Partial LatentAttention::slot(int node, int i) const {
  const std::ptrdiff_t heads = c_->num_attention_heads;
  float* const slot = reinterpret_cast<float*>(slots_.on(node)) + index(i) * slot_floats(*c_);
  return {slot, slot + heads, slot + 2 * heads};
}

void LatentAttention::run(runtime::ThreadTeam& team, const AttentionWeights& w,
                          const KvCache& cache, int layer, int begin, int end, const float* q,
                          const std::function<VisibleKeys(int)>& keys, float* mixed) {
  for (; begin < end; begin += block_tokens_) {
    const int n = std::min(block_tokens_, end - begin);
    absorb(team, w, begin, n, q);
    const std::int32_t n_chunks = (keys(begin + n - 1).n + simd::kKeyChunk - 1) / simd::kKeyChunk;
    if (side_by_side_pays(c_->num_attention_heads, n, n_chunks, team.size())) {
      for (int t = 0; t < n; ++t) {
        attend_side_by_side(team, w, cache, layer, t, keys(begin + t));
      }
    } else {
      attend_one_by_one(team, cache, layer, begin, n, keys);
    }
    apply_values(team, w, begin, n, mixed);
  }
}

/// query_[t][h] = [q_nope K_h | q_rope]: the query of head h in latent space, as the kernel of this
/// cache format wants it.
void LatentAttention::absorb(runtime::ThreadTeam& team, const AttentionWeights& w, int begin, int n,
                             const float* q) {
  const int heads = c_->num_attention_heads, nope = c_->qk_nope_head_dim;
  const int latent = c_->kv_lora_rank, rope = c_->qk_rope_head_dim, width = latent + rope;
  const std::ptrdiff_t in_stride = std::ptrdiff_t{heads} * (nope + rope);
  query_.begin(query_offset(n, 0));
  const auto compute = [&](int piece, int worker) {
    const int head = piece % heads, first = piece / heads * simd::kPanelTokens;
    const int n_rows = std::min(simd::kPanelTokens, n - first);
    Panels& panels = panels_[index(worker)];
    panels.reset(n_rows, nope);
    auto* const absorbed = reinterpret_cast<float*>(scratch_.of(worker) + query_offset_);
    for (int t = 0; t < n_rows; ++t) {
      const float* const row =
          q + (begin + first + t) * in_stride + std::ptrdiff_t{head} * (nope + rope);
      panels.set_row(t, row);
      std::memcpy(absorbed + std::ptrdiff_t{t} * width + latent, row + nope,
                  index(rope) * sizeof(float));
    }
    multiply_rows(w.k_b_absorbed[head], 0, latent, panels.on(0, needs_of(w.k_b_absorbed)), absorbed,
                  width, scratch_.of(worker));
    for (int t = 0; t < n_rows; ++t) {
      const float* const row = absorbed + std::ptrdiff_t{t} * width;
      std::byte* const to = query_.data() + query_offset(first + t, head);
      if (format_ == simd::KvFormat::kF32) {
        std::memcpy(to, row, query_bytes_);
      } else {
        simd::kernels().fix_query(row, latent, rope, to);
      }
    }
  };
  team.run(heads * panels_of(n), compute,
           [&](int piece) { return w.k_b_absorbed[piece % heads].node_of(0); });
}

void LatentAttention::attend_chunk(const KvCache& cache, int layer, VisibleKeys keys,
                                   std::int32_t chunk, std::int32_t next_chunk,
                                   const std::byte* query, int first_head, int n_heads, Partial to,
                                   int worker) const {
  auto** const rows = reinterpret_cast<const std::byte**>(scratch_.of(worker) + row_offset_);
  const auto find_rows = [&](std::int32_t c, const std::byte** found) {
    const std::int32_t first_key = c * simd::kKeyChunk;
    const std::int32_t n = std::clamp(keys.n - first_key, 0, simd::kKeyChunk);
    for (std::int32_t i = 0; i < n; ++i) found[i] = cache.row(layer, keys[first_key + i]);
    return n;
  };
  simd::LatentAttendArgs args;
  args.n_queries = n_heads;
  args.n_keys = find_rows(chunk, rows);
  args.next_rows = rows + simd::kKeyChunk;
  args.n_next_rows = find_rows(next_chunk, rows + simd::kKeyChunk);
  args.kv_lora_rank = c_->kv_lora_rank;
  args.rope_dim = c_->qk_rope_head_dim;
  args.query = query;
  args.query_stride_bytes = static_cast<std::ptrdiff_t>(query_bytes_);
  args.rows = rows;
  args.partial = {to.max + first_head, to.sum + first_head,
                  to.out + std::ptrdiff_t{first_head} * c_->kv_lora_rank, c_->kv_lora_rank};
  args.scratch = scratch_.of(worker) + attend_offset_;
  attend_kernel(format_)(args);
}

void LatentAttention::merge_head(int head, Partial into, Partial from) const {
  const std::ptrdiff_t at = std::ptrdiff_t{head} * c_->kv_lora_rank;
  simd::kernels().attend_merge(into.max + head, into.sum + head, into.out + at, from.max[head],
                               from.sum[head], from.out + at, c_->kv_lora_rank);
}

/// Few queries (decoding): the chunks of one query are spread over the threads, and the heads too
/// if there are more threads than chunks. A chunk's home is where its first key
/// lies; its partial result is written there, and read where the head's values are.
void LatentAttention::attend_side_by_side(runtime::ThreadTeam& team, const AttentionWeights& w,
                                          const KvCache& cache, int layer, int t,
                                          VisibleKeys keys) {
  const int heads = c_->num_attention_heads;
  const std::int32_t n_chunks = (keys.n + simd::kKeyChunk - 1) / simd::kKeyChunk;
  const int heads_per_run = heads_per_call(heads, std::min(kSlots, n_chunks), team.size());
  const int head_runs = (heads + heads_per_run - 1) / heads_per_run;
  // Few enough heads to merge in a piece that every thread gets some.
  const int heads_per_merge = std::clamp(heads / (2 * team.size()), 1, 8);
  const Partial into = result(t);
  const auto home_of = [&](std::int32_t chunk) {
    const int node = cache.node_of(keys[chunk * simd::kKeyChunk]);
    return node < slots_.n_nodes() ? node : 0;
  };
  // The very first chunk goes where the others are merged into.
  const auto partial = [&](std::int32_t chunk) {
    return chunk == 0 ? into : slot(home_of(chunk), chunk % kSlots);
  };
  for (std::int32_t first = 0; first < n_chunks; first += kSlots) {
    const int n = std::min(kSlots, n_chunks - first);
    const auto compute = [&](int piece, int worker) {
      const std::int32_t chunk = first + piece / head_runs;
      const int first_head = piece % head_runs * heads_per_run;
      const int n_heads = std::min(heads_per_run, heads - first_head);
      const std::size_t at = query_offset(t, first_head);
      const int from = query_.source(team.node_of(worker), at, index(n_heads) * query_bytes_);
      // The chunk that this thread will get next if all are equally fast.
      const std::int32_t next = first + (piece + team.size()) / head_runs;
      attend_chunk(cache, layer, keys, chunk, next, query_.on(from) + at, first_head, n_heads,
                   partial(chunk), worker);
    };
    team.run(n * head_runs, compute, [&](int piece) { return home_of(first + piece / head_runs); });
    const std::int32_t first_slot = std::max(first, 1), end = first + n;
    if (first_slot == end) continue;
    const auto merge = [&](int piece, int) {
      const int end_head = std::min(heads, (piece + 1) * heads_per_merge);
      for (int head = piece * heads_per_merge; head < end_head; ++head) {
        for (std::int32_t i = first_slot; i < end; ++i) merge_head(head, into, partial(i));
      }
    };
    team.run((heads + heads_per_merge - 1) / heads_per_merge, merge,
             [&](int piece) { return w.v_b[piece * heads_per_merge].node_of(0); });
  }
}

/// Many queries (prefill): each piece is one query, chunk after chunk, or some heads of it if there
/// are more threads than queries. A head of a query is read by one thread only, where it is.
void LatentAttention::attend_one_by_one(runtime::ThreadTeam& team, const KvCache& cache, int layer,
                                        int begin, int n,
                                        const std::function<VisibleKeys(int)>& keys) {
  const int heads = c_->num_attention_heads;
  const int heads_per_run = heads_per_call(heads, n, team.size());
  const int head_runs = (heads + heads_per_run - 1) / heads_per_run;
  team.run(n * head_runs, [&](int piece, int worker) {
    const int t = piece / head_runs, first_head = piece % head_runs * heads_per_run;
    const int n_heads = std::min(heads_per_run, heads - first_head);
    const VisibleKeys visible = keys(begin + t);
    const std::int32_t n_chunks = (visible.n + simd::kKeyChunk - 1) / simd::kKeyChunk;
    for (std::int32_t chunk = 0; chunk < n_chunks; ++chunk) {
      const Partial to = chunk == 0 ? result(t) : slot(team.node_of(worker), worker);
      attend_chunk(cache, layer, visible, chunk, chunk + 1,
                   query_.data() + query_offset(t, first_head), first_head, n_heads, to, worker);
      if (chunk == 0) continue;
      for (int head = first_head; head < first_head + n_heads; ++head) {
        merge_head(head, result(t), to);
      }
    }
  });
}

/// mixed[t][h] = V_h (out / sum).
void LatentAttention::apply_values(runtime::ThreadTeam& team, const AttentionWeights& w, int begin,
                                   int n, float* mixed) {
  const int heads = c_->num_attention_heads, v = c_->v_head_dim, latent = c_->kv_lora_rank;
  const std::ptrdiff_t stride = std::ptrdiff_t{heads} * v;
  const auto compute = [&](int piece, int worker) {
    const int head = piece % heads, first = piece / heads * simd::kPanelTokens;
    const int n_rows = std::min(simd::kPanelTokens, n - first);
    Panels& panels = panels_[index(worker)];
    panels.reset(n_rows, latent);
    for (int t = 0; t < n_rows; ++t) {
      const Partial r = result(first + t);
      float* const row = r.out + std::ptrdiff_t{head} * latent;
      const float scale = 1.0f / r.sum[head];
      for (int i = 0; i < latent; ++i) row[i] *= scale;
      panels.set_row(t, row);
    }
    multiply_rows(w.v_b[head], 0, v, panels.on(0, needs_of(w.v_b)),
                  mixed + (begin + first) * stride + std::ptrdiff_t{head} * v, stride,
                  scratch_.of(worker));
  };
  team.run(heads * panels_of(n), compute,
           [&](int piece) { return w.v_b[piece % heads].node_of(0); });
}

}  // namespace leyden::model
