#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace leyden::fixtures {

/// SHA-256 (FIPS 180-4) as hexadecimal digits, for comparing with the hashes in expected.json.
/// The round constants are computed as the standard defines them: 32 bits of the fractional parts
/// of cube and square roots of the first primes, which long double holds exactly enough.
class Sha256 {
 public:
  static std::string hex(std::span<const std::byte> bytes) {
    Sha256 hash;
    std::vector<std::byte> padded(bytes.begin(), bytes.end());
    padded.push_back(std::byte{0x80});
    while (padded.size() % 64 != 56) padded.push_back(std::byte{0});
    for (int shift = 56; shift >= 0; shift -= 8) {
      padded.push_back(static_cast<std::byte>(std::uint64_t{8} * bytes.size() >> shift));
    }
    for (std::size_t at = 0; at < padded.size(); at += 64) hash.add_block(padded.data() + at);
    std::string digits;
    for (const std::uint32_t word : hash.state_) {
      for (int shift = 28; shift >= 0; shift -= 4) digits += "0123456789abcdef"[word >> shift & 15];
    }
    return digits;
  }

 private:
  Sha256() {
    int n = 0;
    for (int candidate = 2; n < 64; ++candidate) {
      bool is_prime = true;
      for (int divisor = 2; divisor * divisor <= candidate; ++divisor) {
        is_prime &= candidate % divisor != 0;
      }
      if (!is_prime) continue;
      if (n < 8) state_[n] = fraction(std::sqrt(static_cast<long double>(candidate)));
      constants_[n++] = fraction(std::cbrt(static_cast<long double>(candidate)));
    }
  }

  static std::uint32_t fraction(long double root) {
    return static_cast<std::uint32_t>((root - std::floor(root)) * 4294967296.0L);
  }

  void add_block(const std::byte* block) {
    std::array<std::uint32_t, 64> w{};
    for (int i = 0; i < 64; ++i) {
      if (i < 16) {
        std::uint32_t word = 0;
        std::memcpy(&word, block + 4 * i, 4);
        w[i] = __builtin_bswap32(word);
        continue;
      }
      const std::uint32_t a = w[i - 15];
      const std::uint32_t b = w[i - 2];
      w[i] = w[i - 16] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ a >> 3) + w[i - 7] +
             (std::rotr(b, 17) ^ std::rotr(b, 19) ^ b >> 10);
    }
    auto s = state_;
    for (int i = 0; i < 64; ++i) {
      const std::uint32_t sum1 = std::rotr(s[4], 6) ^ std::rotr(s[4], 11) ^ std::rotr(s[4], 25);
      const std::uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
      const std::uint32_t t1 = s[7] + sum1 + choice + constants_[i] + w[i];
      const std::uint32_t sum0 = std::rotr(s[0], 2) ^ std::rotr(s[0], 13) ^ std::rotr(s[0], 22);
      const std::uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
      s = {t1 + sum0 + majority, s[0], s[1], s[2], s[3] + t1, s[4], s[5], s[6]};
    }
    for (int i = 0; i < 8; ++i) state_[i] += s[i];
  }

  std::array<std::uint32_t, 8> state_{};
  std::array<std::uint32_t, 64> constants_{};
};

}  // namespace leyden::fixtures
