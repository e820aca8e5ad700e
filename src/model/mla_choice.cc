#include "src/model/mla_choice.h"

#include <algorithm>

namespace leyden::model {
namespace {

/// Multiplications a second beside those of attention in fixed point, in either form of MLA, as
/// measured (bench/RESULTS.md, Attention).
constexpr double kFloatAttention = 0.6;
constexpr double kIntegerWeights = 2.2;
constexpr double kFloatWeights = 0.6;
/// The same for pairs of which a query has chosen some: fixed point hides the others between two
/// products, floats go through the chosen ones one by one.
constexpr double kChosenFixed = 0.9;
constexpr double kChosenFloat = 0.2;

}  // namespace

// Per query and key, absorbed: latent + rope for the score, latent for the value; decompressed:
// nope + rope and v, chosen or not. With weights, nope + v times latent per absorbed query, and per
// decompressed key. All per head.
int cheaper_decompressed(const formats::ModelConfig& config, const ChunkQueries& chunk,
                         bool is_fixed, bool has_integer_weights) {
  const double latent = config.kv_lora_rank, rope = config.qk_rope_head_dim;
  const double nope = config.qk_nope_head_dim, v = config.v_head_dim;
  const double first = chunk.first_position;
  const double attention = is_fixed ? 1.0 : kFloatAttention;
  const double weights = has_integer_weights ? kIntegerWeights : kFloatWeights;
  const double absorbed_pair = (2 * latent + rope) / attention;
  const double pair = (nope + rope + v) / attention;
  const double chosen_pair = pair / (is_fixed ? kChosenFixed : kChosenFloat);
  const double token = latent * (nope + v) / weights;
  const auto pairs = [&](double n) { return n * (first + (n + 1) / 2); };  // what causality leaves

  const auto cost = [&](int n) {
    const int dense = std::min(n, chunk.n_dense);
    const double absorbed_pairs = pairs(chunk.n_dense) - pairs(dense) +
                                  1.0 * (chunk.n - chunk.n_dense - (n - dense)) * config.index_topk;
    const double decompressed = n == 0 ? 0
                                       : (first + n) * token + pairs(dense) * pair +
                                             (pairs(n) - pairs(dense)) * chosen_pair;
    return decompressed + (chunk.n - n) * token + absorbed_pairs * absorbed_pair;
  };
  // One more that chooses costs a pair with every key before it, and saves those with its choice.
  const double border = config.index_topk * absorbed_pair / chosen_pair - first;
  const int most = static_cast<int>(std::clamp<double>(border, chunk.n_dense, chunk.n));
  int best = 0;
  for (const int n : {chunk.n_dense, most}) best = cost(n) < cost(best) ? n : best;
  return best;
}

}  // namespace leyden::model
