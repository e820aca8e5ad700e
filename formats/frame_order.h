#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "formats/write_journal.h"

namespace leyden::formats {

/// A compressed piece on its way into the file.
struct Frame {
  WrittenPiece piece;              // file_offset: where it lies already, 0 if nowhere
  std::vector<std::byte> content;  // piece.stored_bytes
  bool is_in_place = false;        // place() found it where it belongs: nothing is to be written
};

/// Gives compressed pieces their places one behind the other, in the order of their numbers 0, 1,
/// 2, ..., whichever thread has its frame first. Without that a file would tell how many threads
/// wrote it. Frames that are early wait in memory: as many as the other threads make while one is
/// late, so not many when numbers are worked off in order.
class FrameOrder {
 public:
  /// The first frame's place.
  explicit FrameOrder(std::uint64_t begin) : end_(begin) {}

  /// Hands in the frame of that number. Returns the frames whose places are now known, with
  /// piece.file_offset set: it's the caller who writes them. Threads may call at once.
  /// Errors: std::logic_error for a number that comes twice.
  std::vector<Frame> place(std::uint64_t number, Frame frame);

  /// Where the frames placed end, and how many wait for an earlier one.
  std::uint64_t end() const { return end_; }
  std::size_t n_waiting() const { return waiting_.size(); }

 private:
  std::mutex mutex_;
  std::uint64_t next_ = 0;
  std::uint64_t end_;
  std::map<std::uint64_t, Frame> waiting_;
};

}  // namespace leyden::formats
