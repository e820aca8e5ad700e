#include "formats/byte_alphabet.h"

#include <array>

#include "formats/utf8.h"

namespace leyden::formats {
namespace {

constexpr int kCodePoints = 0x144;  // the alphabet's characters are all below

struct Alphabet {
  std::array<std::uint16_t, 256> code_point_of{};
  std::array<std::int16_t, kCodePoints> byte_of{};  // -1: not in the alphabet
};

constexpr Alphabet make_alphabet() {
  Alphabet alphabet;
  alphabet.byte_of.fill(-1);
  std::uint16_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
    const std::uint16_t code_point = printable ? static_cast<std::uint16_t>(byte) : next++;
    alphabet.code_point_of[byte] = code_point;
    alphabet.byte_of[code_point] = static_cast<std::int16_t>(byte);
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = make_alphabet();

}  // namespace

std::string spell_bytes(std::string_view bytes) {
  std::string spelling;
  spelling.reserve(bytes.size() * 2);
  for (const char byte : bytes) {
    const unsigned code_point = kAlphabet.code_point_of[static_cast<unsigned char>(byte)];
    if (code_point < 0x80) {
      spelling += static_cast<char>(code_point);
    } else {
      spelling += static_cast<char>(0xC0 | (code_point >> 6));
      spelling += static_cast<char>(0x80 | (code_point & 0x3F));
    }
  }
  return spelling;
}

std::optional<std::string> unspell_bytes(std::string_view spelling) {
  std::string bytes;
  bytes.reserve(spelling.size());
  while (!spelling.empty()) {
    const std::size_t length = utf8_sequence_length(spelling);
    if (length != 1 && length != 2) return std::nullopt;
    const auto first = static_cast<unsigned char>(spelling[0]);
    const unsigned code_point =
        length == 1 ? first
                    : (first & 0x1Fu) << 6 | (static_cast<unsigned char>(spelling[1]) & 0x3Fu);
    if (code_point >= kCodePoints || kAlphabet.byte_of[code_point] < 0) return std::nullopt;
    bytes += static_cast<char>(kAlphabet.byte_of[code_point]);
    spelling.remove_prefix(length);
  }
  return bytes;
}

}  // namespace leyden::formats
