#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <string_view>

namespace leyden::mutation {

/// Breaks files the way they break in the wild, and the way somebody would who wants to do harm.
/// The same seed gives the same changes.
class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {}

  std::size_t below(std::size_t n) { return n == 0 ? 0 : random_() % n; }
  bool chance(int percent) { return below(100) < static_cast<std::size_t>(percent); }

  /// One to three changes of a JSON text: a number, a string, a key, some bytes, a piece.
  void change_text(std::string& text) {
    for (std::size_t n = 1 + below(3); n > 0 && !text.empty(); --n) change_text_once(text);
  }

  /// One to three changes of bytes within [begin, end).
  void change_bytes(std::string& bytes, std::size_t begin, std::size_t end) {
    end = std::min(end, bytes.size());
    if (begin >= end) return;
    for (std::size_t n = 1 + below(3); n > 0; --n) {
      const std::size_t at = begin + below(end - begin);
      const std::size_t length = std::min(1 + below(16), end - at);
      switch (below(4)) {
        case 0:
          bytes[at] = static_cast<char>(bytes[at] ^ 1 << below(8));
          break;
        case 1:
          std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), length, '\xff');
          break;
        case 2:
          std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), length, '\0');
          break;
        default:
          put_number(bytes, at, end);
      }
    }
  }

  /// A file that is shorter or longer than it was, or lacks a piece.
  void change_length(std::string& bytes) {
    switch (below(4)) {
      case 0:
        bytes.resize(below(bytes.size()));
        break;
      case 1:
        bytes.resize(bytes.size() - std::min(bytes.size(), 1 + below(64)));
        break;
      case 2:
        bytes.append(1 + below(4096), '\0');
        break;
      default:
        bytes.erase(below(bytes.size()), 1 + below(4096));
    }
  }

 private:
  void put_number(std::string& bytes, std::size_t at, std::size_t end) {
    constexpr std::array<std::uint64_t, 8> kNumbers = {
        1, 0x7f, 0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff, 0x8000000000000000, ~0ull};
    const std::uint64_t number = kNumbers[below(kNumbers.size())];
    const std::size_t size = std::min<std::size_t>(chance(50) ? 8 : 4, end - at);
    std::memcpy(bytes.data() + at, &number, size);
  }

  void change_text_once(std::string& text) {
    static constexpr std::array<std::string_view, 22> kValues = {"0",
                                                                 "-1",
                                                                 "1",
                                                                 "2",
                                                                 "3",
                                                                 "65536",
                                                                 "2147483647",
                                                                 "2147483648",
                                                                 "1e308",
                                                                 "1e9",
                                                                 "-0.5",
                                                                 "1e-40",
                                                                 "{}",
                                                                 "[]",
                                                                 "9223372036854775807",
                                                                 "null",
                                                                 "true",
                                                                 "\"\"",
                                                                 "\"F32\"",
                                                                 "[1]",
                                                                 "64",
                                                                 "999999999999999999999999999"};
    const std::size_t at = below(text.size());
    switch (below(6)) {
      case 0:
      case 1: {  // the next number becomes another value
        const std::size_t begin = text.find_first_of("-0123456789", at);
        if (begin == text.npos) return;
        const std::size_t end =
            std::min(text.size(), text.find_first_not_of("-+.eE0123456789", begin));
        text.replace(begin, end - begin, kValues[below(kValues.size())]);
        return;
      }
      case 2: {  // the next string becomes another, or loses a letter
        const std::size_t begin = text.find('"', at);
        const std::size_t end = begin == text.npos ? begin : text.find('"', begin + 1);
        if (end == text.npos) return;
        if (chance(50)) {
          text.replace(begin, end + 1 - begin, kValues[below(kValues.size())]);
        } else if (end > begin + 1) {
          text.erase(begin + 1 + below(end - begin - 1), 1);
        }
        return;
      }
      case 3:  // a piece goes away
        text.erase(at, 1 + below(40));
        return;
      case 4: {  // a piece comes twice
        const std::size_t length = std::min(text.size() - at, 1 + below(200));
        text.insert(at, text.substr(at, length));
        return;
      }
      default:
        text[at] = static_cast<char>(random_());
    }
  }

  std::mt19937_64 random_;
};

}  // namespace leyden::mutation
