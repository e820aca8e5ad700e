#include "src/text/token_filters.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace leyden::text {
namespace {

bool is_better(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

// Keeps, in the order of `before`, as few candidates as have probability p together. Sorts no more
// of them than that takes, a growing part at a time: the whole vocabulary is long, the part short.
template <typename Before>
void keep_mass(double p, std::vector<Candidate>& candidates, Before before) {
  const auto begin = candidates.begin();
  std::size_t n_sorted = 0;
  std::size_t n_kept = 0;
  double mass = 0;
  while (n_kept < candidates.size() && mass < p) {
    if (n_kept == n_sorted) {
      const std::size_t next = std::min(candidates.size(), std::max<std::size_t>(64, n_sorted * 4));
      std::partial_sort(begin + static_cast<std::ptrdiff_t>(n_sorted),
                        begin + static_cast<std::ptrdiff_t>(next), candidates.end(), before);
      n_sorted = next;
    }
    mass += candidates[n_kept++].probability;
  }
  candidates.resize(std::max<std::size_t>(1, n_kept));
  for (Candidate& candidate : candidates) candidate.probability /= mass;
}

}  // namespace

void normalize(std::vector<Candidate>& candidates) {
  const double highest =
      std::max_element(candidates.begin(), candidates.end(),
                       [](const Candidate& a, const Candidate& b) { return a.logit < b.logit; })
          ->logit;
  double sum = 0;
  for (Candidate& candidate : candidates) {
    candidate.probability = std::exp(candidate.logit - highest);
    sum += candidate.probability;
  }
  for (Candidate& candidate : candidates) candidate.probability /= sum;
}

void keep_top_k(std::int32_t k, std::vector<Candidate>& candidates) {
  const auto wanted = static_cast<std::size_t>(std::max(1, k));
  if (wanted >= candidates.size()) return;
  const auto end = candidates.begin() + static_cast<std::ptrdiff_t>(wanted);
  std::partial_sort(candidates.begin(), end, candidates.end(), is_better);
  candidates.erase(end, candidates.end());
}

void keep_top_p(double p, std::vector<Candidate>& candidates) {
  keep_mass(p, candidates, is_better);
}

void keep_min_p(double min_p, std::vector<Candidate>& candidates) {
  double best = 0;
  for (const Candidate& candidate : candidates) best = std::max(best, candidate.probability);
  double mass = 0;
  std::erase_if(candidates, [&](const Candidate& candidate) {
    const bool keep = candidate.probability >= min_p * best;
    if (keep) mass += candidate.probability;
    return !keep;
  });
  for (Candidate& candidate : candidates) candidate.probability /= mass;
}

void keep_typical(double p, std::vector<Candidate>& candidates) {
  // Surprise is taken from the logit, which is exact where the probability has become 0.
  const Candidate& any =
      *std::max_element(candidates.begin(), candidates.end(),
                        [](const Candidate& a, const Candidate& b) { return a.logit < b.logit; });
  const double log_sum = any.logit - std::log(any.probability);
  double entropy = 0;
  for (const Candidate& c : candidates) entropy += c.probability * (log_sum - c.logit);
  const auto distance = [=](const Candidate& c) { return std::fabs(log_sum - c.logit - entropy); };
  keep_mass(p, candidates, [&](const Candidate& a, const Candidate& b) {
    const double da = distance(a);
    const double db = distance(b);
    return da != db ? da < db : is_better(a, b);
  });
}

}  // namespace leyden::text
