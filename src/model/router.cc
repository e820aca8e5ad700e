#include "src/model/router.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "simd/kernels.h"

namespace leyden::model {
namespace {

using Scores = std::span<float>;

constexpr float kExcluded = -std::numeric_limits<float>::infinity();

/// Index of the largest score; the lowest of equal ones.
std::size_t best_of(std::span<const float> scores) {
  return static_cast<std::size_t>(std::ranges::max_element(scores) - scores.begin());
}

/// Excludes all but the topk_group best of n_group runs of experts (NUMERICS 5.3).
void keep_best_groups(const formats::ModelConfig& config, Scores choice, Scores group_score) {
  const std::size_t group_size = choice.size() / group_score.size();
  const auto group = [&](std::size_t g) { return choice.subspan(g * group_size, group_size); };
  const bool by_two = config.topk_method == formats::TopkMethod::kNoauxTc && group_size > 1;

  for (std::size_t g = 0; g < group_score.size(); ++g) {
    float best = kExcluded, second = kExcluded;
    for (const float score : group(g)) {
      second = std::max(second, std::min(best, score));
      best = std::max(best, score);
    }
    // Finite: two large biases may add up to infinity.
    group_score[g] = by_two ? std::min(best + second, std::numeric_limits<float>::max()) : best;
  }
  // The kept groups are marked by a score no group has.
  constexpr float kKept = std::numeric_limits<float>::infinity();
  for (int i = 0; i < config.topk_group; ++i) {
    std::size_t best = group_score.size();
    for (std::size_t g = 0; g < group_score.size(); ++g) {
      if (group_score[g] == kKept) continue;
      if (best == group_score.size() || group_score[g] > group_score[best]) best = g;
    }
    group_score[best] = kKept;
  }
  for (std::size_t g = 0; g < group_score.size(); ++g) {
    if (group_score[g] != kKept) std::ranges::fill(group(g), kExcluded);
  }
}

}  // namespace

void route(const formats::ModelConfig& config, std::span<float> logits, const float* bias,
           std::span<float> scratch, std::span<ExpertChoice> chosen) {
  const Scores scores = logits;
  const auto n = static_cast<int>(scores.size());
  if (config.scoring_func == formats::ScoringFunc::kSigmoid) {
    simd::kernels().sigmoid(scores.data(), n);
  } else {
    simd::kernels().softmax(scores.data(), n);
  }

  const Scores choice = scratch.first(scores.size());
  for (std::size_t e = 0; e < scores.size(); ++e) {
    choice[e] = bias != nullptr ? scores[e] + bias[e] : scores[e];
    // Finite, so that an expert which may be chosen always beats an excluded one.
    if (!std::isfinite(choice[e])) choice[e] = std::numeric_limits<float>::lowest();
  }
  if (config.topk_method != formats::TopkMethod::kGreedy && config.n_group > 1) {
    keep_best_groups(config, choice,
                     scratch.subspan(scores.size(), static_cast<std::size_t>(config.n_group)));
  }

  for (ExpertChoice& c : chosen) {
    const std::size_t best = best_of(choice);
    choice[best] = kExcluded;
    c = {static_cast<int>(best), scores[best]};
  }
  std::ranges::sort(chosen, {}, &ExpertChoice::expert);

  if (config.norm_topk_prob) {
    float sum = 1e-20f;
    for (const ExpertChoice& c : chosen) sum += c.weight;
    for (ExpertChoice& c : chosen) c.weight /= sum;
  }
  for (ExpertChoice& c : chosen) c.weight *= static_cast<float>(config.routed_scaling_factor);
}

}  // namespace leyden::model
