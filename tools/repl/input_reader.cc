#include "tools/repl/input_reader.h"

#include <cstdio>

#include "tools/repl/input_text.h"

namespace leyden::tools {

void PlainReader::prompt(const char* text) const {
  if (!on_terminal_) return;
  std::fputs(text, stdout);
  std::fflush(stdout);
}

Input PlainReader::read() {
  prompt("> ");
  std::string text;
  while (true) {
    auto line = keys_->line();
    if (!line && signals_->interrupted()) {
      signals_->clear_interrupt();
      keys_->drop();
      if (on_terminal_) std::fputc('\n', stdout);
      return {Input::Kind::kInterrupt, "", !text.empty()};
    }
    if (!line && !signals_->leaving() && !keys_->ended()) continue;  // woken by another signal
    if (!line) {
      if (text.empty()) return {Input::Kind::kEnd, ""};
      return {Input::Kind::kText, without_quotes(text)};
    }
    if (line->ends_with('\r')) line->pop_back();
    text += *line;
    if (!on_terminal_) return {Input::Kind::kText, text};
    const Unfinished why = unfinished(text);
    if (why == Unfinished::kNo) return {Input::Kind::kText, without_quotes(text)};
    if (why == Unfinished::kBackslash) text.pop_back();
    text += '\n';
    prompt("... ");
  }
}

}  // namespace leyden::tools
