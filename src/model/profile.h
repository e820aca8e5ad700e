#pragma once

#include <array>
#include <chrono>
#include <string_view>

namespace leyden::model {

/// Parts of a forward pass whose time is told apart.
enum class Part { kAttention, kIndexer, kExperts, kDense, kHead, kRest };
constexpr std::array kParts = {Part::kAttention, Part::kIndexer, Part::kExperts,
                               Part::kDense,     Part::kHead,    Part::kRest};

/// "attention", "indexer", "experts", "dense", "head", "rest".
std::string_view name(Part part);

/// Where the time goes: a stopwatch that is always running for one part. Read by one thread, the
/// one that starts the fork-joins; a switch costs some tens of nanoseconds.
class Profile {
 public:
  /// From now on time counts for `part`.
  void enter(Part part) {
    const Clock::time_point now = Clock::now();
    seconds_[index(part_)] += std::chrono::duration<double>(now - since_).count();
    part_ = part;
    since_ = now;
  }
  /// Forgets everything; time counts for kRest from now on.
  void reset() {
    seconds_ = {};
    part_ = Part::kRest;
    since_ = Clock::now();
  }
  double seconds(Part part) const { return seconds_[index(part)]; }

 private:
  using Clock = std::chrono::steady_clock;
  static std::size_t index(Part part) { return static_cast<std::size_t>(part); }

  std::array<double, kParts.size()> seconds_ = {};
  Part part_ = Part::kRest;
  Clock::time_point since_ = Clock::now();
};

}  // namespace leyden::model
