#include "tools/json_output.h"

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>

namespace leyden::tools {

void write_json(const std::string& file, const nlohmann::json& document) {
  const std::string text =
      document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  if (file == "-") {
    std::cout << text << std::flush;
    if (!std::cout) throw std::runtime_error("standard output: can't write");
    return;
  }
  const std::string aside = file + ".partial";
  std::ofstream out(aside, std::ios::binary);
  out << text << std::flush;
  out.close();
  if (!out || std::rename(aside.c_str(), file.c_str()) != 0) {
    std::error_code ignored;
    std::filesystem::remove(aside, ignored);
    throw std::runtime_error(file + ": can't write the JSON");
  }
}

std::FILE* human_output(const std::string& json_file) { return json_file == "-" ? stderr : stdout; }

nlohmann::json finite_numbers(std::span<const float> values) {
  nlohmann::json list = nlohmann::json::array();
  for (const float value : values) {
    list.push_back(std::isfinite(value) ? nlohmann::json(value) : nlohmann::json());
  }
  return list;
}

}  // namespace leyden::tools
