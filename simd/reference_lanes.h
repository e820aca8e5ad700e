#pragma once

namespace leyden::simd::scalar {

/// Where references keep a sum whose order is part of the contract: lane = index mod 16, folded by
/// a fixed tree.
struct Lanes {
  float lane[16] = {};
  float& operator[](int i) { return lane[i % 16]; }
  /// Adds the halves at distance 8, 4, 2, 1.
  float fold() {
    for (int distance = 8; distance > 0; distance /= 2) {
      for (int i = 0; i < distance; ++i) lane[i] += lane[i + distance];
    }
    return lane[0];
  }
};

}  // namespace leyden::simd::scalar
