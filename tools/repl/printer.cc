#include "tools/repl/printer.h"

#include <fmt/format.h>

#include <cstdio>

#include "src/runtime/elapsed.h"
#include "tools/terminal.h"
#include "tools/visible_text.h"

namespace leyden::tools {
namespace {

constexpr const char* kDim = "\x1b[2m";
constexpr const char* kPlain = "\x1b[0m";
constexpr const char* kEraseLine = "\r\x1b[K";
constexpr auto kFoldEvery = std::chrono::milliseconds(100);

void put(std::FILE* to, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), to);
  std::fflush(to);
}

}  // namespace

std::string Printer::wrapped(std::string_view label, std::string_view text) const {
  WordWrap wrap(conversing_ ? terminal_columns() : 0, columns_of(label));
  std::string lines(label);
  lines += wrap.push(visible(text));
  return lines + wrap.finish();
}

void Printer::say(std::string_view text) const {
  put(conversing_ ? stdout : stderr, visible(text) + "\n");
}

void Printer::note(std::string_view text) const {
  if (!conversing_) return;
  put(stdout, (styled_ ? kDim : "") + visible(text) + (styled_ ? kPlain : "") + "\n");
}

void Printer::complain(std::string_view text) const {
  put(stderr, (conversing_ ? "" : "leyden: ") + visible(text) + "\n");
}

AnswerPrinter::AnswerPrinter(const Printer& printer, bool fold_thinking)
    : printer_(&printer),
      fold_(fold_thinking),
      wrap_(printer.conversing() ? terminal_columns() : 0) {}

void AnswerPrinter::text(Channel channel, std::string_view text) {
  if (channel == Channel::kReasoning) return reasoning(text);
  end_reasoning();
  put(stdout, wrap_.push(visible(text)));
  if (!text.empty()) after_newline_ = text.ends_with('\n');
}

void AnswerPrinter::reasoning(std::string_view text) {
  if (!reasoning_) {
    reasoning_ = true;
    start_ = last_shown_ = runtime::Clock::now();
  }
  if (fold_) return show_fold();
  put_reasoning(wrap_.push(visible(text)));
  if (!text.empty()) after_newline_ = text.ends_with('\n');
}

void AnswerPrinter::put_reasoning(std::string_view wrapped) const {
  if (wrapped.empty()) return;
  const bool dim = printer_->styled();
  put(printer_->conversing() ? stdout : stderr,
      fmt::format("{}{}{}", dim ? kDim : "", wrapped, dim ? kPlain : ""));
}

void AnswerPrinter::show_fold() {
  if (!printer_->styled() || runtime::Clock::now() - last_shown_ < kFoldEvery) return;
  last_shown_ = runtime::Clock::now();
  const std::string text = fmt::format("thinking for {:.1f} s", runtime::seconds_since(start_));
  // A line that is wrapped couldn't be erased.
  put(stdout, kEraseLine + std::string(kDim) + excerpt(text, terminal_columns() - 1) + kPlain);
}

void AnswerPrinter::end_reasoning() {
  if (!reasoning_) return;
  reasoning_ = false;
  if (fold_) {
    if (printer_->styled()) put(stdout, kEraseLine);
    printer_->note(fmt::format("[thought for {:.1f} s; /show thinking shows it]",
                               runtime::seconds_since(start_)));
  } else {
    put_reasoning(wrap_.finish());
    put(printer_->conversing() ? stdout : stderr, after_newline_ ? "\n" : "\n\n");
  }
  after_newline_ = true;
}

void AnswerPrinter::tool_calls(std::string_view json) {
  end_reasoning();
  put(stdout, wrap_.finish() + (after_newline_ ? "" : "\n") + visible(json));
  after_newline_ = false;
}

void AnswerPrinter::finish() {
  end_reasoning();
  put(stdout, wrap_.finish());
  if (!printer_->conversing() || !after_newline_) put(stdout, "\n");
}

}  // namespace leyden::tools
