#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leyden::text {

/// Ends a streamed answer at the first of several strings to be complete, wherever token borders
/// fall; at the longest of those that are complete together. Text that may turn out to begin one is
/// held back, nothing else is.
class StopStrings {
 public:
  /// Empty strings are passed over.
  explicit StopStrings(std::vector<std::string> stops);

  /// More text of the answer; returns what may be shown now. Once stopped() it returns nothing.
  std::string push(std::string_view text);
  /// The answer has ended by itself: what was held back.
  std::string finish();

  bool stopped() const { return stopped_by_.has_value(); }
  /// The string that ended the answer; it and what follows it is never shown.
  const std::optional<std::string>& stopped_by() const { return stopped_by_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  std::optional<std::string> stopped_by_;
};

}  // namespace leyden::text
