#include "src/memory_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "src/engine_impl.h"
#include "src/model/forward.h"
#include "src/model/kv_cache.h"
#include "src/runtime/available_memory.h"

namespace leyden {
namespace {

constexpr std::int64_t kFirstTokens = 4096;

}  // namespace

MemoryPlan plan_memory(const formats::ModelConfig& config, const model::ModelWeights& weights,
                       std::uint64_t weight_bytes, const EngineOptions& options,
                       const runtime::Crew& crew) {
  MemoryPlan plan;
  plan.weights = weight_bytes;
  const std::int64_t most = config.max_position_embeddings;
  plan.context = options.context > 0 ? options.context : std::min(kFirstTokens, most);
  const model::Attention::Settings settings = attention_settings(options);
  const model::KvCache cache(config, settings.cache);
  const auto pages = static_cast<std::uint64_t>((plan.context + model::KvCache::kPageTokens - 1) /
                                                model::KvCache::kPageTokens);
  plan.cache = pages * cache.page_bytes();
  const std::int64_t tokens = options.context > 0 ? options.context : most;
  const auto chunk = static_cast<int>(std::min<std::int64_t>(options.prefill_chunk, tokens));
  plan.buffers = model::Forward::buffer_bytes(config, weights, settings, chunk, crew);
  return plan;
}

void require_memory(const MemoryPlan& plan, const std::string& model) {
  const runtime::AvailableMemory available = runtime::available_memory();
  if (plan.total() <= available.bytes) return;
  const auto gb = [](std::uint64_t bytes) { return static_cast<double>(bytes) / 1e9; };
  throw std::runtime_error(
      fmt::format("{} doesn't fit into memory:\n"
                  "  weights                  {:>10.3f} GB\n"
                  "  cache of {:>7} tokens  {:>10.3f} GB\n"
                  "  buffers                  {:>10.3f} GB\n"
                  "  needed                   {:>10.3f} GB\n"
                  "  available                {:>10.3f} GB ({})\n"
                  "A smaller recipe (--weights, convert --recipe), --context, --prefill-chunk or "
                  "--threads, --kv-cache int8 or, for a container, --mmap need less.",
                  model, gb(plan.weights), plan.context, gb(plan.cache), gb(plan.buffers),
                  gb(plan.total()), gb(available.bytes), available.limit));
}

}  // namespace leyden
