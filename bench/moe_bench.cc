// The MoE layer as one operation (src/model/ffn.h) at DeepSeek-V3.2's shape: 256 experts of 3 x
// 2048 x 7168 weights, 8 of them and a shared one for every token, beside what the machine reads
// and multiplies at most, measured before and after each entry (hosts drift). Of the level that
// LEYDEN_ISA names.
//   tokens:1    a decoded token, which takes other experts than the ones before it, out of memory
//   tokens:512  a prompt's, which take all experts alike, 16 tokens each
// The 256 experts share the memory of 64 (1.6 GB in int4, 3.0 in int8). They are read one after the
// other, so where caches hold less than that, each comes from memory as if it had its own.
//   moe_bench --benchmark_filter='int4/tokens:1/'

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "bench/kernel_bench.h"
#include "quant/recipe.h"
#include "src/model/ffn.h"
#include "src/model/synthetic.h"
#include "src/runtime/index.h"

namespace leyden::model {
namespace {

constexpr int kExperts = 256, kInMemory = 64, kChosen = 8;

formats::ModelConfig config_of(int n_experts) {
  formats::ModelConfig config = synthetic_config("v3.2", 0, 1);
  config.n_routed_experts = n_experts;
  return config;
}

double bytes_of(const PlacedMatrix& matrix) {
  double bytes = 0;
  for (const MatrixPart& part : matrix.parts) {
    const quant::MatrixView& m = part.rows;
    bytes += static_cast<double>(quant::matrix_bytes(m.format, m.rows, m.cols));
  }
  return bytes;
}

double bytes_of(const MlpWeights& w) {
  return bytes_of(w.gate) + bytes_of(w.up) + bytes_of(w.down);
}

/// Random weights, placed for a team as leyden places them.
class Layer {
 public:
  Layer(const quant::Recipe& recipe, runtime::ThreadTeam& team) : team_(&team), recipe_(&recipe) {
    const formats::ModelConfig config = config_of(kInMemory);
    std::vector<int> workers;
    WeightMemory memory;
    for (int node = 0; node < team.crew().n_nodes(); ++node) {
      workers.push_back(team.crew().size_of(node));
      memory.homes.push_back(team.crew().near(node));
    }
    memory.placement = place_tensors(synthetic_specs(config, recipe), NumaPolicy::kSplit, workers);
    model_ = make_synthetic(config, recipe, std::move(memory), team, {});
    weights_ = *model_->weights.layers.front().moe;
    for (PlacedStack* const stack : {&weights_.gate, &weights_.up, &weights_.down}) {
      std::vector<MatrixPart>& parts = parts_.emplace_back();
      for (int i = 0; i < kExperts; i += kInMemory) {
        parts.insert(parts.end(), stack->parts.begin(), stack->parts.end());
      }
      stack->count = kExperts;
      stack->parts = parts;
    }
  }
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

  bool is_of(const quant::Recipe& recipe, const runtime::ThreadTeam& team) const {
    return recipe_ == &recipe && team_ == &team;
  }
  const MoeWeights& weights() const { return weights_; }
  /// Read for so many experts and the shared one.
  double bytes(int n_experts) const {
    const MlpWeights expert = {weights_.gate[0], weights_.up[0], weights_.down[0]};
    return n_experts * bytes_of(expert) + bytes_of(*weights_.shared);
  }

 private:
  const runtime::ThreadTeam* team_;
  const quant::Recipe* recipe_;
  std::unique_ptr<LoadedModel> model_;
  std::vector<std::vector<MatrixPart>> parts_;  // of gate, up, down
  MoeWeights weights_;
};

/// One at a time, because of its size.
const Layer& layer_of(const quant::Recipe& recipe, runtime::ThreadTeam& team) {
  static std::unique_ptr<Layer> layer;
  if (!layer || !layer->is_of(recipe, team)) {
    layer.reset();
    layer = std::make_unique<Layer>(recipe, team);
  }
  return *layer;
}

/// Experts of successive tokens: 32 tokens take every expert once, in a scattered order, and those
/// of 8 tokens in a row share no memory.
class Choices {
 public:
  explicit Choices(int n_tokens) : chosen_(index(n_tokens) * kChosen) {}

  const std::vector<ExpertChoice>& next() {
    for (std::size_t first = 0; first < chosen_.size(); first += kChosen) {
      for (std::size_t i = first; i < first + kChosen; ++i, n_ = (n_ + 1) % kExperts) {
        chosen_[i] = {27 * n_ % kInMemory + n_ / kInMemory * kInMemory, 1.0f / kChosen};
      }
      std::ranges::sort(chosen_.begin() + static_cast<std::ptrdiff_t>(first),
                        chosen_.begin() + static_cast<std::ptrdiff_t>(first + kChosen), {},
                        &ExpertChoice::expert);
    }
    return chosen_;
  }

 private:
  std::vector<ExpertChoice> chosen_;
  int n_ = 0;
};

void run(benchmark::State& state, const quant::Recipe& recipe, int n_tokens, int n_threads) {
  runtime::ThreadTeam& team = team_of(n_threads);
  const runtime::ThreadBinding bound = team.bind_caller();
  const Layer& layer = layer_of(recipe, team);
  const formats::ModelConfig config = config_of(kExperts);
  const ActivationNeeds needs = {.integers = true};
  Ffn ffn(config, n_tokens, team.crew(), needs, /*whole_experts=*/false);
  Panels in(team.crew(), n_tokens, std::int64_t{n_tokens} * blocks_of(config.hidden_size), needs);
  in.reset(n_tokens, config.hidden_size);
  std::vector<float> row(index(config.hidden_size));
  for (int t = 0; t < n_tokens; ++t) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = static_cast<float>((i + index(t)) % 37) / 18.0f - 1.0f;
    }
    in.set_row(t, row.data());
  }
  std::vector<float> x(index(n_tokens) * row.size());
  Choices choices(n_tokens);

  constexpr std::size_t kLimitBytes = std::size_t{1} << 30;
  Limits limits(team, simd::kernels(), memory_of(team, kLimitBytes, 0x0101010101010101),
                /*is_integer=*/true);
  limits.measure();
  // Once before, so that the buffers have their pages.
  ffn.run_moe(team, layer.weights(), in, n_tokens, choices.next(), x.data());
  const Clock::time_point start = Clock::now();
  for (auto _ : state) ffn.run_moe(team, layer.weights(), in, n_tokens, choices.next(), x.data());
  const double seconds = seconds_since(start) / static_cast<double>(state.iterations());
  limits.measure();
  const double macs_per_token =
      (kChosen + 1.0) * 3 * config.hidden_size * config.moe_intermediate_size;
  limits.report(state, seconds, layer.bytes(std::min(n_tokens * kChosen, kExperts)),
                n_tokens * macs_per_token);
}

void register_all() {
  for (const char* const name : {"int4", "int8"}) {
    const quant::Recipe& recipe = *quant::find_recipe(name);
    for (const int n_threads : thread_counts()) {
      for (const int n_tokens : {1, 512}) {
        const std::string entry = recipe.name + "/tokens:" + std::to_string(n_tokens) +
                                  "/threads:" + std::to_string(n_threads);
        benchmark::RegisterBenchmark(
            entry.c_str(),
            [=, &recipe](benchmark::State& state) { run(state, recipe, n_tokens, n_threads); })
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
      }
    }
  }
}

}  // namespace
}  // namespace leyden::model

int main(int argc, char** argv) {
  leyden::model::register_all();
  return leyden::run_benchmarks(argc, argv);
}
