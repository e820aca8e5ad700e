#pragma once

#include <immintrin.h>

#include <chrono>

namespace leyden::runtime {

/// How long a thread waits actively: longer than the serial gaps between the phases of a layer, far
/// shorter than anything a person would notice on a battery.
inline constexpr std::chrono::microseconds kSpinTime{50};

/// Waits actively until `holds()`; false if it didn't within about kSpinTime. A number of pauses
/// would be no time: one takes some 40 cycles on one CPU and 140 on another.
template <class Condition>
bool spin_until(const Condition& holds) {
  using Clock = std::chrono::steady_clock;
  constexpr int kPauses = 64;  // 1 to 3 us; a shorter wait doesn't look at the clock
  Clock::time_point end = {};
  for (;;) {
    for (int i = 0; i < kPauses; ++i) {
      if (holds()) return true;
      _mm_pause();
    }
    const Clock::time_point now = Clock::now();
    if (end == Clock::time_point()) end = now + kSpinTime;
    if (now >= end) return false;
  }
}

}  // namespace leyden::runtime
