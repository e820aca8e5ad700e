#include "src/text/call_block_reader.h"

#include <utility>

namespace leyden::text {

bool CallBlockReader::expect(std::initializer_list<std::string_view> literals,
                             std::string_view& found, std::string_view error) {
  bool possible = false;
  for (const std::string_view literal : literals) {
    if (rest_.starts_with(literal)) {
      found = literal;
      rest_.remove_prefix(literal.size());
      return true;
    }
    possible = possible || literal.starts_with(rest_);
  }
  return possible ? false : broken(error);
}

bool CallBlockReader::read_until(std::initializer_list<std::string_view> stops,
                                 std::string_view& before, std::string_view& stop) {
  std::size_t first = std::string_view::npos;
  for (const std::string_view candidate : stops) {
    const std::size_t at = rest_.find(candidate);
    if (at >= first) continue;
    first = at;
    stop = candidate;
  }
  if (first == std::string_view::npos) return false;
  before = rest_.substr(0, first);
  rest_.remove_prefix(first + stop.size());
  return true;
}

bool CallBlockReader::broken(std::string_view error) {
  block_.status = CallBlock::Status::kBroken;
  block_.error = error;
  return false;
}

CallBlock CallBlockReader::complete() {
  block_.status = CallBlock::Status::kComplete;
  block_.n_bytes = size_ - rest_.size();
  return std::move(block_);
}

}  // namespace leyden::text
