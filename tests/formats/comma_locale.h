#pragma once

#include <array>
#include <clocale>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "tests/formats/temp_directory.h"

namespace leyden::fixtures {

/// While it lives, the program's locale writes decimals with a comma, as a German one does. The
/// machine need not have any: it is the LC_NUMERIC file of one, in glibc's format.
class CommaLocale {
 public:
  CommaLocale() {
    constexpr std::uint32_t kMagic = 0x20031114, kStrings = 6;
    // Where they begin: decimal point, thousands separator, grouping; the first two as wide
    // characters; the encoding.
    const std::array<std::uint32_t, 8> head = {kMagic, kStrings, 32, 34, 35, 36, 40, 44};
    std::string file(sizeof head, '\0');
    std::memcpy(file.data(), head.data(), sizeof head);
    file += std::string(",\0\0\0,\0\0\0\0\0\0\0UTF-8\0", 18);
    std::filesystem::create_directory(dir_.path() / "comma");
    dir_.write("comma/LC_NUMERIC", file);
    ::setenv("LOCPATH", dir_.path().c_str(), 1);
    std::setlocale(LC_NUMERIC, "comma");
    ::unsetenv("LOCPATH");
  }
  ~CommaLocale() { std::setlocale(LC_NUMERIC, "C"); }
  CommaLocale(const CommaLocale&) = delete;
  CommaLocale& operator=(const CommaLocale&) = delete;

  /// False where the C library has another format.
  static bool works() { return std::strtod("0,5", nullptr) == 0.5; }

 private:
  TempDirectory dir_;
};

}  // namespace leyden::fixtures
