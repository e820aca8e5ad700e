#include "tools/json_output.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>

#include "formats/output_file.h"

namespace leyden::tools {

namespace {

/// Something that is written to as it is: a device, a pipe, or a file that is open already, as
/// /dev/stdout is one.
bool is_stream(const std::string& file) {
  std::error_code missing;
  if (std::filesystem::is_symlink(formats::place_of(file), missing)) return true;
  const auto kind = std::filesystem::status(file, missing).type();
  using std::filesystem::file_type;
  return kind == file_type::character || kind == file_type::fifo;
}

bool is_standard_output(const std::string& file) {
  std::error_code missing;
  return file == "-" ||
         (is_stream(file) && std::filesystem::equivalent(file, "/proc/self/fd/1", missing));
}

}  // namespace

nlohmann::json figures_json(const quant::ErrorFigures& figures) {
  return {{"relative_rmse", figures.relative_rmse},
          {"worst_group", figures.worst_group},
          {"cosine", figures.cosine}};
}

void check_json_target(const std::string& file, std::vector<std::filesystem::path> read,
                       const std::vector<ModelOptions>& models) {
  if (file.empty() || file == "-" || is_stream(file)) return;
  for (const ModelOptions& model : models) {
    std::ranges::copy(files_of(model), std::back_inserter(read));
  }
  std::erase(read, std::filesystem::path());
  formats::spare_inputs(file, read);
  formats::check_writable(file);
}

void write_json(const std::string& file, const nlohmann::json& document) {
  const std::string text =
      document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  if (is_standard_output(file)) {  // which knows how far it is: opened anew it begins at its start
    std::cout << text << std::flush;
    if (!std::cout) throw std::runtime_error("standard output: can't write");
    return;
  }
  if (is_stream(file)) {
    std::ofstream out(file, std::ios::binary | std::ios::app);
    out << text << std::flush;
    if (!out) throw std::runtime_error(file + ": can't write");
    return;
  }
  formats::OutputFile out(file, text.size());
  out.write(0, std::as_bytes(std::span(text)));
  out.commit();
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
