#include "tools/json_lines.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <new>
#include <stdexcept>
#include <string>

#include "formats/json_text.h"
#include "formats/load_error.h"
#include "formats/utf8.h"
#include "tools/bounded_line.h"

namespace leyden::tools {

using formats::Json;

void print_json_line(const Json& document) {
  std::cout << formats::utf8_replace_invalid(formats::json_text(document)) << '\n' << std::flush;
  if (!std::cout) throw std::runtime_error("standard output: can't write");
}

int answer_json_lines(const std::string& file,
                      const std::function<Json(const formats::JsonField& line)>& answer) {
  std::ifstream opened;
  if (file != "-") {
    if (std::filesystem::is_directory(file)) {
      throw formats::LoadError(file, "is a directory, expected a file of JSON lines");
    }
    opened.open(file, std::ios::binary);
    if (!opened) {
      throw formats::LoadError(file, fmt::format("can't open: {}", std::strerror(errno)));
    }
  }
  std::istream& in = file == "-" ? std::cin : opened;
  int errors = 0;
  int number = 0;
  const std::string name = file == "-" ? "standard input" : file;
  for (std::string line; read_line(in, line, name);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string origin = fmt::format("line {}", number);
    Json reply;
    try {
      const Json document = formats::parse_json(line, origin);
      reply = answer(formats::JsonField(document, origin));
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& error) {
      reply = {{"error", error.what()}};
      ++errors;
    }
    print_json_line(reply);
  }
  return errors;
}

}  // namespace leyden::tools
