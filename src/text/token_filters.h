#pragma once

#include <cstdint>
#include <vector>

#include "src/text/token.h"

namespace leyden::text {

/// A token that may be chosen. Filters keep `probability` normalized over the candidates left.
struct Candidate {
  TokenId token;
  double logit;  // after penalties, bias and temperature
  double probability;
};

/// Sets probabilities: softmax of the logits. Needs at least one candidate.
void normalize(std::vector<Candidate>& candidates);

// Each filter keeps at least one candidate and leaves the rest in a fixed order: of equals the
// lower id goes first. All but keep_top_k need normalized probabilities.

/// The k with the largest logits. Probabilities are not touched.
void keep_top_k(std::int32_t k, std::vector<Candidate>& candidates);

/// The most probable ones, as few as have probability p together (Holtzman et al. 2020).
void keep_top_p(double p, std::vector<Candidate>& candidates);

/// Those with at least min_p times the largest probability (Nguyen et al. 2024).
void keep_min_p(double min_p, std::vector<Candidate>& candidates);

/// Those whose surprise -ln(probability) is nearest to its mean, the entropy; as few as have
/// probability p together (Meister et al. 2022).
void keep_typical(double p, std::vector<Candidate>& candidates);

}  // namespace leyden::text
