#pragma once

namespace leyden::runtime {

/// Binds the calling thread to one hardware thread while it lives, and puts its affinity back as it
/// was. cpu -1 binds nothing. Where the system refuses, the thread stays where it was.
class ThreadBinding {
 public:
  explicit ThreadBinding(int cpu);
  ~ThreadBinding();
  ThreadBinding(const ThreadBinding&) = delete;
  ThreadBinding& operator=(const ThreadBinding&) = delete;

 private:
  void* before_ = nullptr;  // hwloc's bitmap, null if nothing is bound
};

}  // namespace leyden::runtime
