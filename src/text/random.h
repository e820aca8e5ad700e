#pragma once

#include <cstdint>

namespace leyden::text {

/// Random numbers that are a function of seed and count alone, the same on every platform:
/// SplitMix64 (Steele, Lea, Flood 2014), whose n-th value needs none of those before it. So a
/// conversation that is taken up again, or taken back, goes on with the right numbers.
class CountedRandom {
 public:
  explicit CountedRandom(std::uint64_t seed) : start_(mixed(seed)) {}

  /// Uniform in [0, 1), a multiple of 2^-53.
  double next() { return static_cast<double>(value(count_++) >> 11) * 0x1p-53; }

  std::uint64_t count() const { return count_; }
  void set_count(std::uint64_t count) { count_ = count; }

 private:
  static constexpr std::uint64_t mixed(std::uint64_t x) {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
  }
  std::uint64_t value(std::uint64_t n) const {
    return mixed(start_ + (n + 1) * 0x9E3779B97F4A7C15u);
  }

  std::uint64_t start_;
  std::uint64_t count_ = 0;
};

}  // namespace leyden::text
