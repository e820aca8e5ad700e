#include "src/text/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <ostream>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "formats/load_error.h"
#include "src/text/generation_config.h"
#include "tests/text/text_data.h"

namespace leyden::text {
namespace {

using Distribution = std::vector<double>;  // [vocab]
using testing::ElementsAre;

std::vector<float> random_logits(std::size_t vocab, unsigned seed, float spread = 3) {
  std::mt19937 random(seed);
  std::vector<float> logits(vocab);
  for (float& logit : logits) {
    logit = spread * (static_cast<float>(random() % 20001) / 10000.0f - 1.0f);
  }
  return logits;
}

// What follows is the exact calculation, written from the definitions over the whole vocabulary.

Distribution softmax(const std::vector<double>& logits) {
  Distribution p(logits.size());
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) sum += p[i] = std::exp(logits[i]);
  for (double& x : p) x /= sum;
  return p;
}

void renormalize(Distribution& p) {
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& x : p) x /= sum;
}

// The ids in the order of `key`, ascending; of equals the lower id first.
std::vector<std::size_t> ids_by(std::size_t n, const std::function<double(std::size_t)>& key) {
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  return order;
}

// Keeps ids in the given order until their mass is reached, and zeroes the rest.
void cut_mass(Distribution& p, double mass, const std::vector<std::size_t>& order) {
  double seen = 0;
  for (const std::size_t id : order) {
    if (seen >= mass) {
      p[id] = 0;
    } else {
      seen += p[id];
    }
  }
  renormalize(p);
}

// What was said before, for those options that look back.
const std::vector<TokenId> kSaid = {3, 7, 7, 12, 3, 3, 49};

// Bias and penalties, in float as the sampler has its logits.
std::vector<double> adjusted(const std::vector<float>& logits, const SamplerOptions& o) {
  std::vector<float> x = logits;
  for (const auto& [token, bias] : o.logit_bias) x[token] += bias;
  const std::size_t window = o.penalty_window == 0 ? kSaid.size() : o.penalty_window;
  std::map<TokenId, int> counts;
  for (std::size_t i = kSaid.size() - window; i < kSaid.size(); ++i) ++counts[kSaid[i]];
  for (const auto& [token, count] : counts) {
    if (static_cast<std::size_t>(token) >= x.size()) continue;
    x[token] = x[token] > 0 ? x[token] / o.repeat_penalty : x[token] * o.repeat_penalty;
    x[token] -= static_cast<float>(count) * o.frequency_penalty + o.presence_penalty;
  }
  return {x.begin(), x.end()};
}

Distribution exact(const std::vector<float>& logits, const SamplerOptions& o) {
  std::vector<double> scaled = adjusted(logits, o);
  for (double& x : scaled) x /= o.temperature;
  Distribution p = softmax(scaled);
  const auto by_probability = [&](std::size_t id) { return -p[id]; };
  if (o.top_k > 0) {
    const std::vector<std::size_t> order = ids_by(p.size(), by_probability);
    for (std::size_t i = o.top_k; i < order.size(); ++i) p[order[i]] = 0;
    renormalize(p);
  }
  if (o.top_p < 1) cut_mass(p, o.top_p, ids_by(p.size(), by_probability));
  if (o.min_p > 0) {
    const double best = *std::max_element(p.begin(), p.end());
    for (double& x : p) x = x >= o.min_p * best ? x : 0;
    renormalize(p);
  }
  if (o.typical_p < 1) {
    double entropy = 0;
    for (const double x : p) entropy -= x > 0 ? x * std::log(x) : 0;
    cut_mass(p, o.typical_p, ids_by(p.size(), [&](std::size_t id) {
               return p[id] > 0 ? std::fabs(-std::log(p[id]) - entropy) : HUGE_VAL;
             }));
  }
  return p;
}

Distribution offered(Sampler& sampler, const std::vector<float>& logits) {
  Distribution p(logits.size());
  for (const Candidate& c : sampler.candidates(logits)) p[c.token] = c.probability;
  return p;
}

struct Case {
  const char* name;
  SamplerOptions options;
  friend void PrintTo(const Case& shown, std::ostream* out) { *out << shown.name; }
};

class SamplerDistributionTest : public testing::TestWithParam<Case> {};

TEST_P(SamplerDistributionTest, CandidatesHaveTheExactProbabilities) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const std::vector<float> logits = random_logits(seed < 10 ? 50 : 3000, seed);
    Sampler sampler(GetParam().options);
    for (const TokenId token : kSaid) sampler.accept(token);
    const Distribution expected = exact(logits, GetParam().options);
    const Distribution found = offered(sampler, logits);
    for (std::size_t id = 0; id < logits.size(); ++id) {
      // Two sums of at most 3000 doubles in different order: 3000 * 2^-53 < 1e-12.
      ASSERT_NEAR(found[id], expected[id], 1e-12) << "token " << id << " seed " << seed;
    }
  }
}

TEST_P(SamplerDistributionTest, DrawsFollowTheDistribution) {
  constexpr int kDraws = 40000;
  const std::vector<float> logits = random_logits(20, 5);
  SamplerOptions options = GetParam().options;
  options.seed = 1234;
  Sampler sampler(options);
  for (const TokenId token : kSaid) sampler.accept(token);
  const Distribution expected = exact(logits, options);
  std::vector<int> counts(logits.size());
  for (int i = 0; i < kDraws; ++i) ++counts[sampler.sample(logits)];
  for (std::size_t id = 0; id < logits.size(); ++id) {
    // A count is binomial; six deviations are never seen by chance.
    const double deviation = std::sqrt(kDraws * expected[id] * (1 - expected[id]));
    EXPECT_NEAR(counts[id], kDraws * expected[id], 6 * deviation + 1e-9) << "token " << id;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Samplers, SamplerDistributionTest,
    testing::Values(Case{"plain", {}}, Case{"hot", {.temperature = 1.7f}},
                    Case{"cold", {.temperature = 0.3f}}, Case{"top_k", {.top_k = 7}},
                    Case{"top_k_1", {.top_k = 1}}, Case{"top_k_all", {.top_k = 1000000}},
                    Case{"top_p", {.top_p = 0.8f}}, Case{"top_p_small", {.top_p = 0.001f}},
                    Case{"top_p_nearly_all", {.top_p = 0.999f}}, Case{"min_p", {.min_p = 0.1f}},
                    Case{"min_p_1", {.min_p = 1.0f}}, Case{"typical", {.typical_p = 0.6f}},
                    Case{"repeat_penalty", {.repeat_penalty = 1.8f}},
                    Case{"frequency_penalty", {.frequency_penalty = 0.7f}},
                    Case{"presence_penalty", {.presence_penalty = 1.3f}},
                    Case{"penalties_of_a_window",
                         {.repeat_penalty = 1.2f, .frequency_penalty = 0.5f, .penalty_window = 3}},
                    Case{"logit_bias",
                         {.logit_bias = {{2, 4.0f}, {3, -100.0f}, {11, 0.5f}, {11, 0.5f}}}},
                    Case{"deepseek", {.temperature = 0.6f, .top_p = 0.95f}},
                    Case{"everything",
                         {.temperature = 0.9f,
                          .top_k = 12,
                          .top_p = 0.9f,
                          .min_p = 0.05f,
                          .typical_p = 0.9f,
                          .repeat_penalty = 1.1f,
                          .frequency_penalty = 0.1f,
                          .presence_penalty = 0.2f,
                          .logit_bias = {{5, 1.0f}}}}),
    [](const auto& test) { return test.param.name; });

TEST(Sampler, GreedyTakesTheBestAndTheLowestIdOfEquals) {
  Sampler sampler({.temperature = 0});
  EXPECT_EQ(sampler.sample(std::vector<float>{1, 3, 2, 3}), 1);
  EXPECT_EQ(sampler.draws(), 0u);
}

TEST(Sampler, AVanishingTemperatureIsGreedy) {
  for (const float temperature : {1e-30f, 1e-45f}) {
    Sampler sampler({.temperature = temperature});
    EXPECT_EQ(sampler.sample(std::vector<float>{-5, 0, -1}), 1);
    EXPECT_EQ(sampler.sample(std::vector<float>{100, 300, 200}), 1);
  }
}

TEST(Sampler, IdsWithoutATokenAreNeverChosen) {
  const std::vector<float> logits = {0, 0, 50, 0, 60};
  Sampler sampler({}, {true, true, false, true, false});
  for (int i = 0; i < 1000; ++i) {
    const TokenId token = sampler.sample(logits);
    EXPECT_TRUE(token == 0 || token == 1 || token == 3);
  }
  Sampler greedy({.temperature = 0}, {false, true, false, true, false});
  EXPECT_EQ(greedy.sample(logits), 1);
  const std::vector<bool> allowed = tokens_of(deepseek_tokenizer(), 129280);
  EXPECT_EQ(allowed.size(), 129280u);
  EXPECT_EQ(std::count(allowed.begin(), allowed.end(), true), 128815);
}

TEST(Sampler, LogitsThatAreNotNumbersAreHarmless) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  for (const float temperature : {0.0f, 0.7f}) {
    Sampler sampler({.temperature = temperature, .top_p = 0.9f, .typical_p = 0.9f});
    EXPECT_EQ(sampler.sample(std::vector<float>{nan, 1, -inf}), 1);
    EXPECT_EQ(sampler.sample(std::vector<float>{nan, 1, inf}), 2);
    EXPECT_EQ(sampler.sample(std::vector<float>{nan, nan, -inf}), 0);
    Sampler masked({.temperature = temperature}, {false, true, true});
    EXPECT_EQ(masked.sample(std::vector<float>{5, nan, nan}), 1);
  }
}

TEST(Sampler, SeedAndCountDecideEverything) {
  const std::vector<float> logits = random_logits(100, 1);
  const auto run = [&](std::uint64_t seed, int n) {
    Sampler sampler({.seed = seed});
    std::vector<TokenId> tokens(n);
    for (TokenId& token : tokens) token = sampler.sample(logits);
    return tokens;
  };
  const std::vector<TokenId> tokens = run(7, 50);
  EXPECT_EQ(run(7, 50), tokens);
  EXPECT_NE(run(8, 50), tokens);
  Sampler resumed({.seed = 7});
  resumed.set_draws(40);
  for (int i = 40; i < 50; ++i) EXPECT_EQ(resumed.sample(logits), tokens[i]);
}

TEST(Sampler, RandomNumbersAreThePublishedSplitMix64) {
  // Seed 0 is a fixed point of the mixer, so the values are the generator's own from state 0.
  CountedRandom random(0);
  EXPECT_EQ(random.next(), static_cast<double>(0xE220A8397B1DCDAFu >> 11) * 0x1p-53);
  EXPECT_EQ(random.next(), static_cast<double>(0x6E789E6AA1B965F4u >> 11) * 0x1p-53);
}

TEST(Sampler, BiasIsAddedToLogits) {
  Sampler sampler({.temperature = 0, .logit_bias = {{1, -100}, {0, 1.5f}, {9, 5}}});
  EXPECT_EQ(sampler.sample(std::vector<float>{2, 50, 3}), 0);
}

std::vector<double> penalized(SamplerOptions options, const std::vector<TokenId>& accepted,
                              const std::vector<float>& logits) {
  PenaltyHistory history(options.penalty_window);
  for (const TokenId token : accepted) history.accept(token);
  std::vector<float> result = logits;
  history.apply(options, result);
  return {result.begin(), result.end()};
}

TEST(Sampler, PenaltiesFollowTheirDefinitions) {
  const std::vector<float> logits = {4, -4, 1, 0};
  EXPECT_THAT(penalized({.repeat_penalty = 2}, {0, 1, 1, 3}, logits), ElementsAre(2, -8, 1, 0));
  EXPECT_THAT(penalized({.frequency_penalty = 0.5f}, {0, 1, 1}, logits),
              ElementsAre(3.5, -5, 1, 0));
  EXPECT_THAT(penalized({.presence_penalty = 0.5f}, {0, 1, 1}, logits),
              ElementsAre(3.5, -4.5, 1, 0));
  EXPECT_THAT(penalized({.presence_penalty = 1, .penalty_window = 2}, {0, 1, 2, 1}, logits),
              ElementsAre(4, -5, 0, 0));
  EXPECT_THAT(penalized({.repeat_penalty = 2}, {99, -1}, logits), ElementsAre(4, -4, 1, 0));
}

TEST(Sampler, RepetitionIsPenalizedOnceAccepted) {
  Sampler sampler({.temperature = 0, .presence_penalty = 2});
  const std::vector<float> logits = {1, 2};
  EXPECT_EQ(sampler.sample(logits), 1);
  sampler.accept(1);
  EXPECT_EQ(sampler.sample(logits), 0);
  sampler.clear_history();
  EXPECT_EQ(sampler.sample(logits), 1);
}

TEST(Sampler, RefusesOptionsWithoutMeaning) {
  const auto refusal = [](SamplerOptions options) -> std::string {
    try {
      Sampler sampler(std::move(options));
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(refusal({.temperature = -1}), "temperature is -1, expected 0 or more");
  EXPECT_EQ(refusal({.top_p = 0}), "top-p is 0, expected more than 0 and at most 1");
  EXPECT_EQ(refusal({.repeat_penalty = 0}), "repeat-penalty is 0, expected more than 0");
  EXPECT_NE(refusal({.temperature = NAN}), "no error");
  EXPECT_NE(refusal({.top_k = -1}), "no error");
  EXPECT_NE(refusal({.min_p = 1.5f}), "no error");
  EXPECT_NE(refusal({.typical_p = 0}), "no error");
  EXPECT_NE(refusal({.logit_bias = {{-1, 0}}}), "no error");
  EXPECT_EQ(refusal({.logit_bias = {{5, -INFINITY}}}),
            "logit-bias is -inf, expected a finite number; -100 all but forbids a token");
}

TEST(GenerationConfig, ReadsDefaultsAndStopTokens) {
  const GenerationConfig config = parse_generation_config(
      R"({"do_sample": true, "temperature": 0.6, "top_p": 0.95, "eos_token_id": [1, 7]})", "g");
  EXPECT_EQ(config.sampling.temperature, 0.6f);
  EXPECT_EQ(config.sampling.top_p, 0.95f);
  EXPECT_THAT(config.stop_tokens, ElementsAre(1, 7));
  EXPECT_EQ(parse_generation_config(R"({"do_sample": false, "temperature": 1})", "g")
                .sampling.temperature,
            0);
  EXPECT_THAT(parse_generation_config(R"({"eos_token_id": 1})", "g").stop_tokens, ElementsAre(1));
  EXPECT_THROW(parse_generation_config(R"({"top_p": 2})", "g"), formats::LoadError);
  EXPECT_THROW(parse_generation_config(R"({"eos_token_id": "x"})", "g"), formats::LoadError);
}

}  // namespace
}  // namespace leyden::text
