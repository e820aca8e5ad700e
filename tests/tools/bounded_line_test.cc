#include "tools/bounded_line.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

namespace leyden::tools {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; read_line(in, line, "text");) lines.push_back(line);
  return lines;
}

using Lines = std::vector<std::string>;

TEST(BoundedLine, EndsAtANewlineOrTheEnd) {
  EXPECT_EQ(lines_of(""), Lines());
  EXPECT_EQ(lines_of("\n"), Lines({""}));
  EXPECT_EQ(lines_of("a\n\nb"), Lines({"a", "", "b"}));
  EXPECT_EQ(lines_of("a\r\nb\n"), Lines({"a\r", "b"}));
  EXPECT_EQ(lines_of(std::string("a\0b\n", 4)), Lines({std::string("a\0b", 3)}));
}

TEST(BoundedLine, MayHaveAnyLength) {
  // Around the pieces that it is read in.
  for (const std::size_t n : {16382, 16383, 16384, 16385, 32765, 32766, 32767, 32768, 100000}) {
    std::string line(n, 'x');
    line.back() = 'y';
    EXPECT_EQ(lines_of(line), Lines({line})) << n;
    EXPECT_EQ(lines_of(line + "\n"), Lines({line})) << n;
    EXPECT_EQ(lines_of(line + "\n\nz\n"), Lines({line, "", "z"})) << n;
  }
}

}  // namespace
}  // namespace leyden::tools
