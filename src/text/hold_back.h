#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace leyden::text {

/// Bytes at the end of `text` that could be the beginning of `wanted` (but not all of it), so that
/// a stream must keep them back until more is known.
inline std::size_t partial_match_at_end(std::string_view text, std::string_view wanted) noexcept {
  if (wanted.empty()) return 0;
  std::size_t n = std::min(text.size(), wanted.size() - 1);
  while (n > 0 && text.substr(text.size() - n) != wanted.substr(0, n)) --n;
  return n;
}

}  // namespace leyden::text
