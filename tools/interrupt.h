#pragma once

namespace leyden::tools {

/// Exit status of what Ctrl-C has ended: 128 and the number of SIGINT, as shells count.
inline constexpr int kInterruptStatus = 130;

/// While one exists, Ctrl-C (SIGINT) is a request that can be asked for instead of the end of the
/// program; unless it is ignored, as it then stays. One at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  /// True if Ctrl-C was pressed since the guard was made or cleared.
  bool requested() const;
  void clear();
};

}  // namespace leyden::tools
