#include "tools/repl/paste_folds.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/visible_text.h"

namespace leyden::tools {
namespace {

// The editor shows a line as a whole, so it should stay well below a screen.
constexpr std::ptrdiff_t kMaxNewlines = 7;
constexpr std::size_t kMaxBytes = 1000;

}  // namespace

std::string PasteFolds::fold(std::string text) {
  const auto newlines = std::ranges::count(text, '\n');
  if (newlines <= kMaxNewlines && text.size() <= kMaxBytes) return text;
  for (const auto& [note, known] : folds_) {
    if (known == text) return note;
  }
  const std::string amount =
      newlines > 0 ? fmt::format("{} lines", newlines + (text.ends_with('\n') ? 0 : 1))
                   : fmt::format("{} bytes", text.size());
  std::string note =
      fmt::format("[pasted {} #{}: {}]", amount, folds_.size() + 1, excerpt(text, 20));
  folds_.emplace_back(note, std::move(text));
  return note;
}

std::string PasteFolds::unfold(std::string_view line) const {
  std::string out;
  while (!line.empty()) {
    const auto here = std::ranges::find_if(
        folds_, [&](const auto& fold) { return line.starts_with(fold.first); });
    if (here == folds_.end()) {
      out.push_back(line.front());
      line.remove_prefix(1);
    } else {
      out += here->second;
      line.remove_prefix(here->first.size());
    }
  }
  return out;
}

bool PasteFolds::has_broken_note(std::string_view line) const {
  std::string rest(line);
  for (const auto& [note, text] : folds_) {
    for (std::size_t at; (at = rest.find(note)) != rest.npos;)
      rest.replace(at, note.size(), 1, '\n');
  }
  // Whatever was changed in one half of a note, the other one is still there.
  return std::ranges::any_of(folds_, [&rest](const auto& fold) {
    const std::size_t half = fold.first.find('#');
    return rest.find(fold.first.substr(0, half)) != rest.npos ||
           rest.find(fold.first.substr(half)) != rest.npos;
  });
}

}  // namespace leyden::tools
