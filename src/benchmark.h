#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "src/engine.h"
#include "src/model/profile.h"
#include "src/runtime/machine_limits.h"

namespace leyden {

class Session;

/// What to measure: every combination.
struct BenchmarkPlan {
  std::vector<int> prefill, decode;  // tokens of a prompt; tokens generated one by one
  std::vector<std::int32_t> depths;  // tokens in the cache before
  std::vector<int> threads;
  int repeat = 5;
};

/// One combination. Rates are of the median sample.
struct BenchmarkRow {
  std::string test;  // "prefill" or "decode"
  int threads = 0, n = 0;
  std::int32_t depth = 0;
  std::vector<double> samples;  // tokens per second, in the order measured
  double tokens_per_second = 0;
  int last_chunk = 0;  // of a prompt of several chunks: tokens of the last one, and their rate
  double last_chunk_tokens_per_second = 0;
  double weight_bytes_per_token = 0, cache_bytes_per_token = 0;  // of decoding
  double gb_per_second = 0, bandwidth_share = 0;                 // of what was read at least
  double gmac_per_second = 0, mac_share = 0;                     // of products with weights
  std::array<double, model::kParts.size()> part_seconds = {};    // per token
  std::array<double, model::kSteps.size()> step_seconds = {};    // the same time, split otherwise
  runtime::MachineLimits limits;
};

/// The rate that belongs to the median time, as the times of the parts are medians of times.
double median_rate(std::vector<double> rates);

/// Measures one row (test, n, depth are given) on a session that holds row.depth tokens, and leaves
/// it so. Rates that need the costs of a model or limits are not filled in.
BenchmarkRow measure_row(Session& session, BenchmarkRow row, int repeat);

/// Refuses a plan that a context of so many tokens has no room for, before a model is loaded for
/// it. Errors: std::runtime_error.
void require_room(const BenchmarkPlan& plan, std::int64_t context);

/// Measures every row, calling `done` after each. The limits are measured for each thread count
/// before its rows and again after them. `warn` hears when they moved by more than a tenth, when
/// other processes used the machine, and when the weights lie in small pages.
void run_benchmark(const std::shared_ptr<const Engine>& engine, const BenchmarkPlan& plan,
                   const std::function<void(const BenchmarkRow&)>& done,
                   const std::function<void(const std::string&)>& warn);

}  // namespace leyden
