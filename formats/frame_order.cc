#include "formats/frame_order.h"

#include <stdexcept>
#include <string>
#include <utility>

namespace leyden::formats {

std::vector<Frame> FrameOrder::place(std::uint64_t number, Frame frame) {
  const std::lock_guard lock(mutex_);
  if (number < next_ || !waiting_.emplace(number, std::move(frame)).second) {
    throw std::logic_error("two compressed pieces have the number " + std::to_string(number));
  }
  std::vector<Frame> placed;
  for (auto next = waiting_.begin(); next != waiting_.end() && next->first == next_;
       next = waiting_.erase(next), ++next_) {
    Frame& turn = placed.emplace_back(std::move(next->second));
    turn.is_in_place = turn.piece.file_offset == end_;
    turn.piece.file_offset = end_;
    end_ += turn.piece.stored_bytes;
  }
  return placed;
}

}  // namespace leyden::formats
