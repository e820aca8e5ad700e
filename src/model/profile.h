#pragma once

#include <array>
#include <chrono>
#include <string_view>

namespace leyden::model {

/// Parts of a forward pass whose time is told apart: where in the model.
enum class Part { kAttention, kIndexer, kExperts, kDense, kHead, kRest };
constexpr std::array kParts = {Part::kAttention, Part::kIndexer, Part::kExperts,
                               Part::kDense,     Part::kHead,    Part::kRest};

/// What is done there.
enum class Step { kProducts, kAttend, kSelect, kNormalize, kRoute, kOther };
constexpr std::array kSteps = {Step::kProducts,  Step::kAttend, Step::kSelect,
                               Step::kNormalize, Step::kRoute,  Step::kOther};

/// "attention", "indexer", "experts", "dense", "head", "rest".
std::string_view name(Part part);
/// "products" (with weights, and what is fused with them), "attend" (attention itself, with the
/// products per head), "select" (index scores and top-k), "normalize" (norms, rotations,
/// quantization, cache rows), "route" (choosing experts, gathering their tokens), "other".
std::string_view name(Step step);

/// Where the time goes: a stopwatch that is always running for one part and step. Read by one
/// thread, the one that starts the fork-joins; a switch costs some tens of nanoseconds.
class Profile {
 public:
  /// From now on time counts for `part` and `step`.
  void enter(Part part, Step step) {
    const Clock::time_point now = Clock::now();
    seconds_[index(part_)][index(step_)] += std::chrono::duration<double>(now - since_).count();
    part_ = part;
    step_ = step;
    since_ = now;
  }
  /// The same part goes on.
  void enter(Step step) { enter(part_, step); }
  /// Forgets everything; time counts for kRest from now on.
  void reset() {
    enter(Part::kRest, Step::kOther);
    seconds_ = {};
  }
  double seconds(Part part, Step step) const { return seconds_[index(part)][index(step)]; }

 private:
  using Clock = std::chrono::steady_clock;
  template <typename Enum>
  static std::size_t index(Enum value) {
    return static_cast<std::size_t>(value);
  }

  std::array<std::array<double, kSteps.size()>, kParts.size()> seconds_ = {};
  Part part_ = Part::kRest;
  Step step_ = Step::kOther;
  Clock::time_point since_ = Clock::now();
};

}  // namespace leyden::model
