#include "tools/bounded_line.h"

#include <fmt/format.h>

#include <array>

#include "formats/load_error.h"

namespace leyden::tools {

bool read_line(std::istream& in, std::string& line, const std::string& file) {
  line.clear();
  std::array<char, 1 << 14> piece;
  in.exceptions(std::ios::badbit);
  try {
    while (true) {
      in.getline(piece.data(), piece.size());
      const auto n = static_cast<std::size_t>(in.gcount());
      const bool ended = !in.fail() && !in.eof();  // by a newline, which was counted
      const std::size_t more = ended ? n - 1 : n;
      if (line.size() + more > kMostOfALine) {
        throw formats::LoadError(file,
                                 fmt::format("has a line of more than {} bytes", kMostOfALine));
      }
      line.append(piece.data(), more);
      if (ended) return true;
      if (in.eof()) return !line.empty();
      in.clear();  // the piece is full, the line goes on
    }
  } catch (const std::ios_base::failure& error) {  // a folder, a disk that fails
    throw formats::LoadError(file, fmt::format("can't be read: {}", error.code().message()));
  }
}

}  // namespace leyden::tools
