#include "tools/repl/word_wrap.h"

#include <algorithm>
#include <utility>

#include "formats/utf8.h"
#include "tools/visible_text.h"

namespace leyden::tools {
namespace {

constexpr int kTab = 8;

/// ``` and perhaps a language, but not ```a word in backquotes```.
bool is_fence(std::string_view word) {
  const std::size_t ticks = std::min(word.find_first_not_of('`'), word.size());
  return ticks >= 3 && word.find('`', ticks) == std::string_view::npos;
}

}  // namespace

std::string WordWrap::push(std::string_view text) {
  if (columns_ == 0) return std::string(text);
  std::string out;
  while (!text.empty()) {
    const std::size_t n = std::max<std::size_t>(1, formats::utf8_sequence_length(text));
    character(text.substr(0, n), out);
    text.remove_prefix(n);
  }
  if (begun_ || (in_code_ && !begins_line_)) pass_on(out);
  return out;
}

std::string WordWrap::finish() {
  if (columns_ == 0) return "";
  std::string out;
  end_word(out);
  *this = WordWrap(columns_);
  return out;
}

void WordWrap::character(std::string_view c, std::string& out) {
  if (c == "\n") {
    end_word(out);
    out += c;
    column_ = 0;
    begins_line_ = true;
  } else if (c == " " || c == "\t") {
    end_word(out);
    if (column_ >= columns_ && !in_code_) return;  // the edge takes its place
    out += c;
    column_ = c == " " ? column_ + 1 : std::min(columns_, (column_ / kTab + 1) * kTab);
  } else {
    const int width = columns_of(c);
    if (width > 1) end_word(out);
    word_ += c;
    word_columns_ += width;
    if (width > 1) end_word(out);
    if (word_columns_ > columns_) {
      pass_on(out);
      begun_ = true;
    }
  }
}

void WordWrap::end_word(std::string& out) {
  if (begins_line_ && is_fence(word_)) {
    in_code_ = !in_code_;
  } else if (!in_code_ && !begun_ && column_ > 0 && column_ + word_columns_ > columns_) {
    out += '\n';
    column_ = 0;
  }
  pass_on(out);
  begun_ = false;
}

void WordWrap::pass_on(std::string& out) {
  if (word_.empty()) return;
  out += std::exchange(word_, {});
  column_ += std::exchange(word_columns_, 0);
  if (column_ > columns_) column_ = (column_ - 1) % columns_ + 1;
  begins_line_ = false;
}

}  // namespace leyden::tools
