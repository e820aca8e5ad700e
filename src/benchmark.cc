#include "src/benchmark.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <stdexcept>

#include "src/engine_impl.h"
#include "src/model/cost.h"
#include "src/runtime/elapsed.h"
#include "src/self_check.h"
#include "src/session.h"

namespace leyden {
namespace {

using runtime::Clock, runtime::seconds_since;

/// Warm-up ends when a sample is this close to the one before, or after so many samples or seconds.
constexpr double kSettled = 0.03;
constexpr int kMostWarmups = 4;
constexpr double kWarmupSeconds = 10;
/// Limits that differ by more before and after mean that the machine was busy.
constexpr double kMoved = 0.10;

/// Tokens that differ, so that different experts are chosen; the same in every run.
std::vector<std::int32_t> some_tokens(int n, std::int32_t vocab_size) {
  std::vector<std::int32_t> tokens;
  std::uint64_t state = 1;
  for (int i = 0; i < n; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;  // Knuth's MMIX generator
    tokens.push_back(
        static_cast<std::int32_t>((state >> 33) % static_cast<std::uint64_t>(vocab_size)));
  }
  return tokens;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// One combination on a session whose cache already holds `depth` tokens.
class Measurement {
 public:
  Measurement(Session& session, BenchmarkRow row)
      : session_(session),
        row_(std::move(row)),
        tokens_(some_tokens(row_.n, session.engine().vocab_size())),
        chunk_(std::min(row_.n, session.engine().options().prefill_chunk)),
        last_chunk_((row_.n - 1) % chunk_ + 1) {}

  BenchmarkRow run(int repeat) {
    warm_up();
    Profiles profiles;
    for (int i = 0; i < repeat; ++i) {
      row_.samples.push_back(sample(tokens_));
      profiles.push_back(session_.profile());
    }
    row_.tokens_per_second = median_rate(row_.samples);
    if (!last_chunk_rates_.empty()) {
      row_.last_chunk = last_chunk_;
      row_.last_chunk_tokens_per_second = median_rate(last_chunk_rates_);
    }
    for (const model::Part part : model::kParts) {
      row_.part_seconds[static_cast<std::size_t>(part)] =
          per_token(profiles, {&part, 1}, model::kSteps);
    }
    for (const model::Step step : model::kSteps) {
      row_.step_seconds[static_cast<std::size_t>(step)] =
          per_token(profiles, model::kParts, {&step, 1});
    }
    return row_;
  }

 private:
  using Profiles = std::vector<model::Profile>;

  /// Of a long prompt one chunk warms all there is.
  void warm_up() {
    std::span<const std::int32_t> tokens = tokens_;
    if (row_.test == "prefill") tokens = tokens.first(static_cast<std::size_t>(chunk_));
    const Clock::time_point start = Clock::now();
    double before = sample(tokens);
    for (int i = 1; i < kMostWarmups && seconds_since(start) < kWarmupSeconds; ++i) {
      const double now = sample(tokens);
      const bool settled = std::abs(now - before) <= kSettled * before;
      before = now;
      if (settled) break;
    }
  }
  /// Tokens per second of one run; the cache is as before afterwards.
  double sample(std::span<const std::int32_t> tokens) {
    session_.profile().reset();
    const Clock::time_point start = Clock::now();
    if (row_.test == "prefill") {
      prefill(tokens);
    } else {
      for (const std::int32_t token : tokens) session_.decode(token);
    }
    const double seconds = seconds_since(start);
    session_.truncate(row_.depth);
    return static_cast<double>(tokens.size()) / seconds;
  }
  /// A prompt of several chunks is slower at its end, where there is more to attend to.
  void prefill(std::span<const std::int32_t> tokens) {
    std::optional<Clock::time_point> last_chunk_began;
    session_.prefill(tokens, [&](int done, int total) {
      const bool is_last = total > chunk_ && done == total - last_chunk_;
      if (is_last && !last_chunk_began) last_chunk_began = Clock::now();
      return true;
    });
    if (last_chunk_began) {
      last_chunk_rates_.push_back(last_chunk_ / seconds_since(*last_chunk_began));
    }
  }
  /// The median time of some steps of some parts.
  double per_token(const Profiles& profiles, std::span<const model::Part> parts,
                   std::span<const model::Step> steps) const {
    std::vector<double> values;
    for (const model::Profile& profile : profiles) {
      double& sum = values.emplace_back(0);
      for (const model::Part part : parts) {
        for (const model::Step step : steps) sum += profile.seconds(part, step);
      }
    }
    return median(std::move(values)) / row_.n;
  }

  Session& session_;
  BenchmarkRow row_;
  std::vector<std::int32_t> tokens_;
  int chunk_, last_chunk_;  // tokens that are computed together, and last
  std::vector<double> last_chunk_rates_;
};

void fill_in_rates(BenchmarkRow& row, const Session& session, const Engine& engine) {
  const model::LoadedModel& loaded = *engine.impl().model;
  model::TokenCost cost;
  if (row.test == "decode") {
    cost = session.decode_cost();
    row.weight_bytes_per_token = cost.weight_bytes;
    row.cache_bytes_per_token = cost.cache_bytes;
    row.gb_per_second = (cost.weight_bytes + cost.cache_bytes) * row.tokens_per_second / 1e9;
    row.bandwidth_share = row.gb_per_second / row.limits.read_gb_per_second;
  } else {
    cost = model::prefill_cost(loaded.config, loaded.weights,
                               engine.options().attention != AttentionChoice::kDense, row.depth,
                               row.n);
  }
  row.gmac_per_second = cost.weight_macs * row.tokens_per_second / 1e9;
  row.mac_share = row.gmac_per_second / row.limits.integer_gmac_per_second;
}

void check_limits(const runtime::MachineLimits& before, const runtime::MachineLimits& after,
                  const std::function<void(const std::string&)>& warn) {
  const auto compare = [&](const char* what, double was, double is) {
    if (std::abs(is - was) <= kMoved * was) return;
    warn(fmt::format("with {} thread{} {} moved from {:.1f} to {:.1f} meanwhile", before.threads,
                     before.threads == 1 ? "" : "s", what, was, is));
  };
  compare("the read bandwidth (GB/s)", before.read_gb_per_second, after.read_gb_per_second);
  compare("the integer peak (GMAC/s), hence the frequency,", before.integer_gmac_per_second,
          after.integer_gmac_per_second);
}

}  // namespace

double median_rate(std::vector<double> rates) {
  for (double& rate : rates) rate = 1 / rate;
  return 1 / median(std::move(rates));
}

BenchmarkRow measure_row(Session& session, BenchmarkRow row, int repeat) {
  return Measurement(session, std::move(row)).run(repeat);
}

void require_room(const BenchmarkPlan& plan, std::int64_t context) {
  for (const std::int32_t depth : plan.depths) {
    if (depth > context) {
      throw std::runtime_error(
          fmt::format("a depth of {} doesn't fit a context of {}", depth, context));
    }
    for (const std::vector<int>& test : {plan.prefill, plan.decode}) {
      for (const int n : test) {
        if (n <= context - depth) continue;
        throw std::runtime_error(
            fmt::format("{} tokens at a depth of {} don't fit a context of {}", n, depth, context));
      }
    }
  }
}

void run_benchmark(const std::shared_ptr<const Engine>& engine, const BenchmarkPlan& plan,
                   const std::function<void(const BenchmarkRow&)>& done,
                   const std::function<void(const std::string&)>& warn) {
  require_room(plan, engine->options().context);
  if (const auto complaint = complain_of_small_pages(resident_memory())) warn(*complaint);
  const CpuTimes before = cpu_times();
  for (const int threads : plan.threads) {
    EngineOptions options = engine->options();
    options.threads = threads;
    const std::shared_ptr<const Engine> with_threads = engine->with(options);
    const runtime::MachineLimits limits = runtime::measure_limits(*with_threads->impl().team);
    Session session(with_threads);
    for (const std::int32_t depth : plan.depths) {
      if (depth < session.position()) session.truncate(depth);
      session.append_noise(depth - session.position());
      const auto measure = [&](const char* test, int n) {
        BenchmarkRow row;
        row.test = test;
        row.threads = threads;
        row.n = n;
        row.depth = depth;
        row.limits = limits;
        row = measure_row(session, row, plan.repeat);
        fill_in_rates(row, session, *with_threads);
        done(row);
      };
      for (const int n : plan.prefill) measure("prefill", n);
      for (const int n : plan.decode) measure("decode", n);
    }
    check_limits(limits, runtime::measure_limits(*with_threads->impl().team), warn);
  }
  if (const auto complaint = complain_of_others(before, cpu_times())) warn(*complaint);
}

}  // namespace leyden
