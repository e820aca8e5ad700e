#include "tools/bounded_line.h"

#include <fmt/format.h>

#include "formats/json.h"
#include "formats/load_error.h"

namespace leyden::tools {

bool read_line(std::istream& in, std::string& line, const std::string& file) {
  constexpr std::size_t kMost = formats::JsonLimits{}.max_bytes;
  line.clear();
  std::streambuf& bytes = *in.rdbuf();
  try {
    for (int c = bytes.sbumpc(); c != std::char_traits<char>::eof(); c = bytes.sbumpc()) {
      if (c == '\n') return true;
      if (line.size() == kMost) {
        throw formats::LoadError(file, fmt::format("has a line of more than {} bytes", kMost));
      }
      line.push_back(static_cast<char>(c));
    }
  } catch (const std::ios_base::failure& error) {  // a folder, a disk that fails
    throw formats::LoadError(file, fmt::format("can't be read: {}", error.code().message()));
  }
  return !line.empty();
}

}  // namespace leyden::tools
