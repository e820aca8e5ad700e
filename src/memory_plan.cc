#include "src/memory_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "src/engine_impl.h"
#include "src/model/kv_cache.h"
#include "src/runtime/available_memory.h"

namespace leyden {
namespace {

constexpr std::int64_t kFirstTokens = 4096;

/// Floats per token of a chunk that a forward pass keeps (src/model/attention.h, ffn.h, forward.h).
std::uint64_t floats_per_token(const formats::ModelConfig& c) {
  const std::uint64_t heads = static_cast<std::uint64_t>(c.num_attention_heads);
  const std::uint64_t rows = 4 * static_cast<std::uint64_t>(c.hidden_size);
  const std::uint64_t attention =
      heads * static_cast<std::uint64_t>(c.qk_head_dim() + 2 * c.v_head_dim);
  const std::uint64_t experts =
      static_cast<std::uint64_t>(c.num_experts_per_tok) *
      static_cast<std::uint64_t>(c.hidden_size + c.moe_intermediate_size) / 4;
  const std::uint64_t indexer =
      static_cast<std::uint64_t>(c.index_n_heads * c.index_head_dim + c.index_topk);
  return rows + attention + experts + indexer + static_cast<std::uint64_t>(c.intermediate_size);
}

}  // namespace

MemoryPlan plan_memory(const formats::ModelConfig& config, std::uint64_t weight_bytes,
                       const EngineOptions& options) {
  MemoryPlan plan;
  plan.weights = weight_bytes;
  const std::int64_t most = config.max_position_embeddings;
  plan.context = options.context > 0 ? options.context : std::min(kFirstTokens, most);
  const model::KvCache cache(config, cache_formats(options));
  const auto pages = static_cast<std::uint64_t>((plan.context + model::KvCache::kPageTokens - 1) /
                                                model::KvCache::kPageTokens);
  plan.cache = pages * cache.page_bytes();
  const auto chunk =
      static_cast<std::uint64_t>(std::min<std::int64_t>(options.prefill_chunk, plan.context));
  plan.buffers = chunk * floats_per_token(config) * sizeof(float);
  return plan;
}

void require_memory(const MemoryPlan& plan, const std::string& model) {
  const runtime::AvailableMemory available = runtime::available_memory();
  if (plan.total() <= available.bytes) return;
  const auto gb = [](std::uint64_t bytes) { return static_cast<double>(bytes) / 1e9; };
  throw std::runtime_error(fmt::format(
      "{} doesn't fit into memory:\n"
      "  weights                  {:>10.3f} GB\n"
      "  cache of {:>7} tokens  {:>10.3f} GB\n"
      "  buffers                  {:>10.3f} GB\n"
      "  needed                   {:>10.3f} GB\n"
      "  available                {:>10.3f} GB ({})\n"
      "A smaller recipe (--weights, convert --recipe), --context, --kv-cache int8 or, for a "
      "container, --mmap need less.",
      model, gb(plan.weights), plan.context, gb(plan.cache), gb(plan.buffers), gb(plan.total()),
      gb(available.bytes), available.limit));
}

}  // namespace leyden
