#include "tools/repl/key_source.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include "formats/utf8.h"
#include "tools/bounded_line.h"

namespace leyden::tools {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

char32_t decoded(std::string_view character) {
  const auto lead = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return lead;
  char32_t value = lead & (0xFFu >> (character.size() + 1));
  for (const char byte : character.substr(1)) {
    value = value << 6 | (static_cast<unsigned char>(byte) & 0x3Fu);
  }
  return value;
}

}  // namespace

std::string to_utf8(char32_t c) {
  const auto tail = [c](int shift) { return static_cast<char>(0x80 | (c >> shift & 0x3F)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xC0 | c >> 6), tail(0)};
  if (c < 0x10000) return {static_cast<char>(0xE0 | c >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xF0 | c >> 18), tail(12), tail(6), tail(0)};
}

KeySource::State KeySource::wait() {
  if (at_ < buffer_.size()) return State::kReady;
  if (ended_) return State::kEnd;
  std::array<pollfd, 2> watched = {
      {{STDIN_FILENO, POLLIN, 0}, {signals_->wake_descriptor(), POLLIN, 0}}};
  while (::poll(watched.data(), watched.size(), -1) < 0) {
    if (errno != EINTR) return State::kEnd;
  }
  if (watched[1].revents != 0) {
    signals_->settle();
    return State::kWoken;
  }
  return fill() ? State::kReady : State::kEnd;
}

bool KeySource::fill() {
  std::array<char, 4096> chunk;
  ssize_t n = 0;
  do {
    n = ::read(STDIN_FILENO, chunk.data(), chunk.size());
  } while (n < 0 && errno == EINTR);
  if (n <= 0) {
    ended_ = true;
    return false;
  }
  buffer_.assign(chunk.data(), static_cast<std::size_t>(n));
  at_ = 0;
  return true;
}

std::optional<unsigned char> KeySource::byte() {
  while (true) {
    const State state = wait();
    if (state == State::kReady) return static_cast<unsigned char>(buffer_[at_++]);
    if (state == State::kEnd || signals_->leaving()) return std::nullopt;
  }
}

std::optional<char32_t> KeySource::next() {
  std::string character;
  while (true) {
    const auto more = byte();
    if (!more) return std::nullopt;
    character.push_back(static_cast<char>(*more));
    if (formats::utf8_sequence_length(character) == character.size()) return decoded(character);
    if (formats::utf8_may_continue(character)) continue;
    if (character.size() > 1) --at_;  // the byte that broke it begins the next one
    return kReplacement;
  }
}

std::optional<std::string> KeySource::line() {
  while (true) {
    const State state = wait();
    if (state == State::kWoken) return std::nullopt;
    if (state == State::kEnd) {
      if (line_.empty()) return std::nullopt;
      return std::exchange(line_, {});
    }
    if (line_.size() > kMostOfALine) {
      throw std::runtime_error(
          fmt::format("standard input: has a line of more than {} bytes", kMostOfALine));
    }
    const std::size_t end = buffer_.find('\n', at_);
    line_.append(buffer_, at_, end - at_);
    at_ = end == std::string::npos ? buffer_.size() : end + 1;
    if (end != std::string::npos) return std::exchange(line_, {});
  }
}

}  // namespace leyden::tools
