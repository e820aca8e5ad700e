#include "src/memory_plan.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <vector>

#include "formats/recipe_file.h"
#include "src/engine_impl.h"
#include "src/model/kv_cache.h"
#include "src/model/planned_weights.h"
#include "src/model/synthetic.h"
#include "src/model_costs.h"
#include "src/runtime/topology.h"
#include "src/session.h"
#include "src/weight_placement.h"
#include "tests/runtime/crew_of.h"

namespace leyden {
namespace {

/// Of this process' address space.
std::uint64_t mapped_bytes() {
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::shared_ptr<const Engine> demo(const EngineOptions& options) {
  return Engine::load(std::string(LEYDEN_SOURCE_DIR) + "/models/demo/checkpoint", options);
}

TEST(MemoryPlan, CountsTheBuffersOfEveryThread) {
  EngineOptions options;
  options.threads = 48;
  const auto engine = demo(options);
  const std::uint64_t before = mapped_bytes();
  const Session session(engine);
  const std::uint64_t buffers = mapped_bytes() - before;
  const std::uint64_t planned = plan_memory(engine->config(), engine->impl().model->weights, 0,
                                            options, engine->impl().team->crew())
                                    .buffers;
  // Every large buffer starts at a huge page, and so has one more of address space.
  constexpr std::uint64_t kAlignment = std::uint64_t{100} << 20;
  EXPECT_GE(buffers, planned);
  EXPECT_LE(buffers, planned + kAlignment);
  EXPECT_GT(planned, 2 * kAlignment);
}

TEST(MemoryPlan, SessionsShareTheBuffersAndTheLastOneGivesThemBack) {
  EngineOptions options;
  options.threads = 2;
  const auto engine = demo(options);
  const std::uint64_t planned = plan_memory(engine->config(), engine->impl().model->weights, 0,
                                            options, engine->impl().team->crew())
                                    .buffers;
  const std::uint64_t before = mapped_bytes();
  std::vector<Session> sessions;
  sessions.emplace_back(engine);
  sessions.front().decode(5);
  const std::uint64_t with_one = mapped_bytes();
  EXPECT_GE(with_one - before, planned);
  for (std::int32_t i = 0; i < 50; ++i) sessions.push_back(sessions.front().fork());
  for (Session& session : sessions) session.decode(7);
  // A page of the cache for each, and some kilobytes.
  EXPECT_LT(mapped_bytes() - with_one, 51 * 2 * sessions.front().cache().page_bytes());
  sessions.clear();
  EXPECT_LT(mapped_bytes(), before + planned / 2);
}

TEST(MemoryPlan, GrowsWithNodesAndWithTheChunk) {
  const formats::ModelConfig config = model::synthetic_config("lite", 1, 1);
  const auto specs = model::synthetic_specs(config, formats::load_recipe("int4"));
  const auto buffers = [&](int chunk, const std::vector<int>& threads, model::NumaPolicy policy) {
    const model::Placement placement = model::place_tensors(specs, policy, threads);
    const model::PlannedWeights weights(config, specs, &placement, "lite");
    EngineOptions options;
    options.prefill_chunk = chunk;
    return plan_memory(config, *weights, 0, options, runtime::crew_of(threads)).buffers;
  };
  constexpr auto kSplit = model::NumaPolicy::kSplit, kWhole = model::NumaPolicy::kWhole;
  EXPECT_GT(buffers(2048, {4, 4}, kSplit), buffers(2048, {8}, kSplit));
  EXPECT_GT(buffers(2048, {4, 4}, kWhole), buffers(2048, {4, 4}, kSplit));
  // Without a context of its own, a session may be given a prompt as long as the chunk.
  EXPECT_GT(buffers(8192, {2}, kSplit), 3 * buffers(2048, {2}, kSplit));
}

TEST(ModelCosts, CountMemoryAsLoadingDoes) {
  const formats::ModelConfig config = model::synthetic_config("lite", 1, 2);
  const auto specs = model::synthetic_specs(config, formats::load_recipe("int4"));
  const ModelCosts costs = model_costs(config, specs, "lite");
  EngineOptions options;
  options.context = costs.memory.front().context;
  const runtime::Crew crew = runtime::plan_crew(runtime::read_topology(), {});
  const model::WeightMemory loaded = place_weights(specs, config, options, {}, crew, "lite");
  const std::uint64_t weights = loaded.placement.total_bytes();
  const model::PlannedWeights planned(config, specs, &loaded.placement, "lite");
  EXPECT_EQ(costs.memory.front().total,
            plan_memory(config, *planned, weights, options, crew).total());
  EXPECT_GT(weights, costs.tensor_bytes);  // large tensors begin at huge pages
}

TEST(MemoryPlan, HasNoRoomForChoicesThatNobodyMakes) {
  formats::ModelConfig config = model::synthetic_config("v3.2", 1, 1);
  config.max_position_embeddings = 4096;
  const auto specs = model::synthetic_specs(config, formats::load_recipe("int4"));
  const auto buffers = [&](int index_topk) {
    config.index_topk = index_topk;
    const model::PlannedWeights weights(config, specs, nullptr, "v3.2");
    return plan_memory(config, *weights, 0, {}, runtime::crew_of({2})).buffers;
  };
  EXPECT_GT(buffers(4096), buffers(2048));
  EXPECT_EQ(buffers(20000000), buffers(4096));
}

}  // namespace
}  // namespace leyden
