#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "src/model/loaded_model.h"

namespace leyden::model {

/// What the pieces of a load share: how far they are, and whether one has failed, so that the
/// others needn't be tried.
class LoadMeter {
 public:
  LoadMeter(std::uint64_t total, const Progress& progress) : total_(total), progress_(progress) {}

  /// Does one piece of work unless another has failed. Rethrows what `work` throws,
  /// or who is told of the progress.
  template <class Work>
  void attempt(std::uint64_t bytes, const Work& work) {
    if (failed_.load(std::memory_order_relaxed)) return;
    try {
      work();
      report(bytes);
    } catch (...) {
      failed_.store(true, std::memory_order_relaxed);
      throw;
    }
  }

 private:
  void report(std::uint64_t bytes) {
    if (!progress_) return;
    const std::lock_guard lock(mutex_);
    done_ += bytes;
    progress_(done_, total_);
  }

  const std::uint64_t total_;
  const Progress& progress_;
  std::atomic<bool> failed_ = false;
  std::mutex mutex_;
  std::uint64_t done_ = 0;
};

}  // namespace leyden::model
