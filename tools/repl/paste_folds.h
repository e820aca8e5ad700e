#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leyden::tools {

/// Long pasted texts stand in the edited line as a short note, "[pasted 120 lines #2: The quick…]",
/// and are put back when the line is sent.
class PasteFolds {
 public:
  /// `text` itself if it is short enough to be edited in place, else its note.
  std::string fold(std::string text);
  /// `line` with every note that fold() gave replaced by its text.
  std::string unfold(std::string_view line) const;
  /// Whether `line` has a part of a note that was changed, whose text unfold() can't put back.
  bool has_broken_note(std::string_view line) const;

 private:
  std::vector<std::pair<std::string, std::string>> folds_;  // note, text
};

}  // namespace leyden::tools
