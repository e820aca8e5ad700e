#pragma once

#include <cstdint>
#include <vector>

#include "formats/model_config.h"

namespace leyden::model {

/// Angles of the rotary embedding, YaRN included (NUMERICS 3.1 to 3.3).
class RopeTable {
 public:
  explicit RopeTable(const formats::ModelConfig& config);

  int n_pairs() const { return static_cast<int>(frequency_.size()); }

  /// cos and sin [n_pairs] at a position. The angle is the binary32 product position * frequency,
  /// as the released code computes it: at position 100 000 that rounding is worth 4e-3 rad.
  void angles(std::int32_t position, float* cos, float* sin) const;

 private:
  std::vector<float> frequency_;  // [qk_rope_head_dim / 2]
  float scale_ = 1;               // of cos and sin; 1 in every released model
};

/// Scale of attention scores: (nope + rope)^-0.5, times the squared YaRN factor (NUMERICS 4.3).
float softmax_scale(const formats::ModelConfig& config);

}  // namespace leyden::model
