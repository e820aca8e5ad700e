// How well rounded index keys and queries choose: the share of the f32 oracle's top k that is
// chosen too, for leyden's int8, for bf16 keys, and for the original's FP8 (NUMERICS 7.4, 7.5).
// Prints its table itself:  index_overlap [DEMO_CHECKPOINT ITEMS.jsonl]

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "formats/json.h"
#include "formats/model_config.h"
#include "quant/number.h"
#include "simd/kernels.h"
#include "simd/layout.h"
#include "src/engine.h"
#include "src/model/options.h"
#include "src/runtime/index.h"
#include "src/session.h"

namespace leyden {
namespace {

/// Rotated keys and queries of one layer in f32; query i sees the keys up to position[i].
struct Problem {
  int n_heads, dim, k;
  std::vector<float> keys;             // [n_keys, dim]
  std::vector<float> q, weights;       // [n_queries, heads, dim], [n_queries, heads]
  std::vector<std::int32_t> position;  // [n_queries]
};

/// One way of keeping keys and queries, applied to what f32 would keep.
struct Scheme {
  const char* name;
  simd::IndexFormat format;
  std::function<void(std::span<float> row)> round;  // of a key, or a head's query
};

/// E4M3 codes with one scale for the row; power_of_two as in V3.1 and later.
void round_to_fp8(std::span<float> row, bool power_of_two) {
  float largest = 1e-4f;
  for (const float x : row) largest = std::max(largest, std::fabs(x));
  float scale = largest * (1.0f / 448.0f);
  if (power_of_two) scale = std::exp2(std::ceil(std::log2(scale)));
  for (float& x : row) {
    const float code = std::clamp(x / scale, -448.0f, 448.0f);
    x = quant::e4m3_to_f32(quant::f32_to_e4m3(code)) * scale;
  }
}

const std::vector<Scheme> kSchemes = {
    {"f32", simd::IndexFormat::kF32, {}},
    {"int8 keys and queries (leyden)", simd::IndexFormat::kInt8, {}},
    {"bf16 keys", simd::IndexFormat::kBf16, {}},
    {"FP8, scales of any value", simd::IndexFormat::kF32,
     [](std::span<float> row) { round_to_fp8(row, false); }},
    {"FP8, scales powers of two (V3.2)", simd::IndexFormat::kF32,
     [](std::span<float> row) { round_to_fp8(row, true); }},
};

/// The chosen positions of every query, ascending.
std::vector<std::vector<std::int32_t>> choose(Problem p, const Scheme& scheme) {
  const simd::Kernels& k = simd::kernels();
  const auto rows = [&](std::vector<float>& all) {
    for (std::size_t at = 0; scheme.round && at < all.size(); at += index(p.dim)) {
      scheme.round(std::span(all).subspan(at, index(p.dim)));
    }
  };
  rows(p.keys);
  rows(p.q);
  const auto n_keys = static_cast<std::int32_t>(p.keys.size() / index(p.dim));
  const std::size_t tile_bytes = simd::index_tile_bytes(scheme.format, p.dim);
  std::vector<std::byte> tiles(index((n_keys + 15) / 16) * tile_bytes + simd::kLine);
  std::byte* const first =
      tiles.data() + (simd::kLine - reinterpret_cast<std::uintptr_t>(tiles.data()) % simd::kLine);
  const auto store = scheme.format == simd::IndexFormat::kInt8   ? k.index_store_int8
                     : scheme.format == simd::IndexFormat::kBf16 ? k.index_store_bf16
                                                                 : k.index_store_f32;
  const auto score = scheme.format == simd::IndexFormat::kInt8   ? k.index_score_int8
                     : scheme.format == simd::IndexFormat::kBf16 ? k.index_score_bf16
                                                                 : k.index_score_f32;
  std::vector<const std::byte*> tile;
  std::vector<std::int32_t> position(index(n_keys));
  std::iota(position.begin(), position.end(), 0);
  for (const std::int32_t s : position) {
    std::byte* const at = first + index(s / 16) * tile_bytes;
    store(p.keys.data() + std::ptrdiff_t{s} * p.dim, p.dim, at, s % 16);
    tile.push_back(at);
  }

  std::vector<std::vector<std::int32_t>> chosen;
  std::vector<float> scores(index(n_keys));
  std::vector<std::int8_t> codes(index(p.n_heads * p.dim));
  std::vector<std::int32_t> starts(index(p.n_heads));
  for (std::size_t i = 0; i < p.position.size(); ++i) {
    const float* const q = p.q.data() + i * index(p.n_heads * p.dim);
    float* const weights = p.weights.data() + i * index(p.n_heads);
    if (scheme.format == simd::IndexFormat::kInt8) {
      k.index_quantize_query(q, p.n_heads, p.dim, codes.data(), starts.data(), weights);
    }
    const std::int32_t n = p.position[i] + 1;
    score({tile.data(),
           position.data(),
           n,
           {p.n_heads, p.dim, q, codes.data(), starts.data(), weights},
           scores.data()});
    std::vector<std::int32_t> order(position.begin(), position.begin() + n);
    std::ranges::stable_sort(order, std::greater(),
                             [&](std::int32_t s) { return scores[index(s)]; });
    order.resize(index(std::min(n, p.k)));
    std::ranges::sort(order);
    chosen.push_back(std::move(order));
  }
  return chosen;
}

/// Of each query, the share of the first choice that is in the second.
std::vector<double> overlaps(const std::vector<std::vector<std::int32_t>>& oracle,
                             const std::vector<std::vector<std::int32_t>>& other) {
  std::vector<double> shares;
  for (std::size_t i = 0; i < oracle.size(); ++i) {
    std::vector<std::int32_t> both;
    std::ranges::set_intersection(oracle[i], other[i], std::back_inserter(both));
    shares.push_back(static_cast<double>(both.size()) / static_cast<double>(oracle[i].size()));
  }
  return shares;
}

void report(const std::string& name, const std::vector<Problem>& problems) {
  std::vector<std::vector<std::vector<std::int32_t>>> oracle;
  std::size_t n_queries = 0;
  for (const Problem& p : problems) {
    oracle.push_back(choose(p, kSchemes[0]));
    n_queries += p.position.size();
  }
  for (std::size_t s = 1; s < kSchemes.size(); ++s) {
    std::vector<double> shares;
    for (std::size_t i = 0; i < problems.size(); ++i) {
      const auto more = overlaps(oracle[i], choose(problems[i], kSchemes[s]));
      shares.insert(shares.end(), more.begin(), more.end());
    }
    const double mean =
        std::accumulate(shares.begin(), shares.end(), 0.0) / static_cast<double>(shares.size());
    fmt::print("| {} | {} | {} | {:.3f} % | {:.1f} % |\n", name, n_queries, kSchemes[s].name,
               100 * mean, 100 * *std::ranges::min_element(shares));
  }
  std::fflush(stdout);
}

/// What a checkpoint's indexers see of some tokens, computed in f32: a problem per layer, with
/// every `step`-th token that selects.
std::vector<Problem> capture(const std::shared_ptr<const Engine>& engine,
                             const std::vector<std::int32_t>& tokens, int step) {
  const formats::ModelConfig& config = engine->config();
  Session session(engine);
  model::Trace trace;
  trace.layers.resize(index(config.num_hidden_layers));
  for (model::LayerTrace& layer : trace.layers) layer.index.emplace();
  std::vector<float> logits(tokens.size() * index(config.vocab_size));
  session.prefill_traced(tokens, logits, &trace);

  std::vector<Problem> problems;
  for (const model::LayerTrace& layer : trace.layers) {
    Problem& p = problems.emplace_back(Problem{config.index_n_heads,
                                               config.index_head_dim,
                                               config.index_topk,
                                               layer.index->k,
                                               {},
                                               {},
                                               {}});
    const std::size_t width = index(p.n_heads * p.dim), heads = index(p.n_heads);
    for (std::size_t t = index(config.index_topk); t < tokens.size(); t += index(step)) {
      p.position.push_back(static_cast<std::int32_t>(t));
      const auto q = std::span(layer.index->q).subspan(t * width, width);
      const auto weights = std::span(layer.index->weights).subspan(t * heads, heads);
      p.q.insert(p.q.end(), q.begin(), q.end());
      p.weights.insert(p.weights.end(), weights.begin(), weights.end());
    }
  }
  return problems;
}

std::shared_ptr<const Engine> load_f32(const std::string& checkpoint) {
  EngineOptions options;
  options.weights = "f32";
  options.kv_cache = KvCacheFormat::kF32;
  return Engine::load(checkpoint, options);
}

void report_demo(const std::string& checkpoint, const std::string& items) {
  const auto engine = load_f32(checkpoint);
  constexpr int kPrompts = 3, kStep = 16;
  for (const char* kind : {"recall-1024", "recall-crowded-2048", "recall-4096"}) {
    std::ifstream in(items);
    std::vector<Problem> problems;
    int n = 0;
    for (std::string line; n < kPrompts && std::getline(in, line);) {
      const formats::Json item = formats::parse_json(line, items);
      if (item["kind"] != kind) continue;
      ++n;
      for (Problem& p : capture(engine, item["prompt_tokens"], kStep)) {
        problems.push_back(std::move(p));
      }
    }
    report(fmt::format("demo model, {}", kind), problems);
  }
}

void report_oracle_models() {
  for (const char* name : {"v32-tiny-fp8", "v32-calm-fp8", "v32-odd-dims"}) {
    const auto engine =
        load_f32(std::string(LEYDEN_SOURCE_DIR) + "/tests/data/oracle/checkpoints/" + name);
    std::vector<std::int32_t> tokens;
    std::mt19937 random(1);
    for (int i = 0; i < 600; ++i) {
      tokens.push_back(
          static_cast<std::int32_t>(random() % static_cast<unsigned>(engine->vocab_size())));
    }
    report(fmt::format("random model {}", name), capture(engine, tokens, 8));
  }
}

/// V3.2's shape: 2048 of 16384 keys. outliers: some channels are ten times as large, before the
/// rotation that spreads them.
void report_noise(const char* name, bool outliers) {
  constexpr int kHeads = 64, kDim = 128, kKeys = 16384, kQueries = 8;
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  const auto rows = [&](int n) {
    std::vector<float> all(index(n) * kDim);
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i] = normal(random) * (outliers && i % 37 == 0 ? 10.0f : 1.0f);
    }
    for (int r = 0; r < n; ++r) simd::kernels().hadamard(all.data() + index(r) * kDim, kDim);
    return all;
  };
  Problem p{kHeads, kDim, 2048, rows(kKeys), rows(kQueries * kHeads), {}, {}};
  for (int i = 0; i < kQueries * kHeads; ++i) p.weights.push_back(normal(random));
  p.position.assign(kQueries, kKeys - 1);
  report(name, {p});
}

}  // namespace
}  // namespace leyden

int main(int argc, char** argv) {
  const std::string demo = std::string(LEYDEN_SOURCE_DIR) + "/models/demo";
  fmt::print(
      "| keys and queries | queries | kept as | mean overlap | worst |\n|---|---|---|---|---|\n");
  leyden::report_demo(argc > 1 ? argv[1] : demo + "/checkpoint",
                      argc > 2 ? argv[2] : demo + "/eval/items.jsonl");
  leyden::report_oracle_models();
  leyden::report_noise("noise, V3.2's shape", false);
  leyden::report_noise("noise with outliers, V3.2's shape", true);
  return 0;
}
