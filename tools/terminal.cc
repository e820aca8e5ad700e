#include "tools/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace leyden::tools {
namespace {

constexpr auto kFirstAfter = std::chrono::milliseconds(300);  // short work shows nothing
constexpr auto kEvery = std::chrono::milliseconds(100);

std::string seconds_text(double seconds) {
  if (seconds < 60) return fmt::format("{:.0f} s", seconds);
  if (seconds < 3600) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

}  // namespace

bool terminal_has_escapes() {
  const char* const term = std::getenv("TERM");
  return term != nullptr && *term != '\0' && std::strcmp(term, "dumb") != 0;
}

bool no_color() {
  const char* const wish = std::getenv("NO_COLOR");
  return wish != nullptr && *wish != '\0';
}

int terminal_columns() {
  winsize size = {};
  for (const int descriptor : {STDOUT_FILENO, STDERR_FILENO}) {
    if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  }
  return 80;
}

bool stderr_is_terminal() { return isatty(STDERR_FILENO) == 1 && terminal_has_escapes(); }

ProgressLine::ProgressLine(std::string what, Unit unit)
    : what_(std::move(what)), unit_(unit), active_(stderr_is_terminal()) {}

ProgressLine::~ProgressLine() { clear(); }

void ProgressLine::update(std::uint64_t done, std::uint64_t total, std::string_view detail) {
  if (!active_ || total == 0) return;
  const Clock::time_point now = Clock::now();
  if (now - start_ < kFirstAfter || now - last_ < kEvery) return;
  last_ = now;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double rate = static_cast<double>(done) / seconds;
  const double left = rate > 0 ? static_cast<double>(total - done) / rate : 0;
  const double share = 100.0 * static_cast<double>(done) / static_cast<double>(total);
  const std::string amount =
      unit_ == Unit::kBytes
          ? fmt::format("{:.2f} of {:.2f} GB, {:.2f} GB/s", static_cast<double>(done) / 1e9,
                        static_cast<double>(total) / 1e9, rate / 1e9)
          : fmt::format("{} of {} tokens, {:.0f} tokens/s", done, total, rate);
  std::string line = fmt::format("{} {:.0f} % ({}), {} left{}{}", what_, share, amount,
                                 seconds_text(left), detail.empty() ? "" : ": ", detail);
  line.resize(std::min(line.size(), static_cast<std::size_t>(terminal_columns() - 1)));
  fmt::print(stderr, "\r\x1b[K{}", line);
  std::fflush(stderr);
  shown_ = true;
}

void ProgressLine::clear() {
  if (!shown_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  shown_ = false;
}

}  // namespace leyden::tools
