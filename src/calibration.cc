#include "src/calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <utility>

#include "formats/checksum.h"
#include "formats/json.h"
#include "formats/json_text.h"
#include "formats/load_error.h"
#include "formats/output_file.h"
#include "formats/safetensors.h"

namespace leyden {
namespace {

using formats::LoadError;
using formats::SafetensorsEntry;
using formats::TensorType;

constexpr std::string_view kTokens = ".tokens";

template <class Number>
std::vector<Number> read_numbers(const formats::InputFile& file, const SafetensorsEntry& entry) {
  std::vector<Number> numbers(entry.bytes / sizeof(Number));
  file.read_exact(entry.offset, std::as_writable_bytes(std::span(numbers)));
  return numbers;
}

[[noreturn]] void refuse(const std::string& file, const std::string& tensor,
                         const std::string& what) {
  throw LoadError(file, fmt::format("tensor '{}': {}", formats::excerpt(tensor, 200), what));
}

void check(const ColumnEnergy& energy, const std::string& file, const std::string& tensor) {
  if (energy.tokens.size() != static_cast<std::size_t>(energy.count)) {
    refuse(file, tensor,
           fmt::format("its '{}' is missing or has not {} numbers", kTokens, energy.count));
  }
  const bool counts = std::all_of(energy.tokens.begin(), energy.tokens.end(),
                                  [](std::int64_t n) { return n >= 0; });
  const bool energies = std::all_of(energy.mean_square.begin(), energy.mean_square.end(),
                                    [](float x) { return std::isfinite(x) && x >= 0; });
  if (!counts || !energies) refuse(file, tensor, "energies and tokens must be finite and >= 0");
}

}  // namespace

std::string recorded_name(const std::string& tensor) {
  constexpr std::string_view kUp = ".up";
  if (!tensor.ends_with(kUp)) return tensor;
  return tensor.substr(0, tensor.size() - kUp.size()) + ".gate";
}

Calibration::Calibration(std::map<std::string, ColumnEnergy> tensors)
    : tensors_(std::move(tensors)) {}

Calibration Calibration::load(const std::filesystem::path& path) {
  const formats::InputFile file(path);
  Calibration calibration;
  calibration.source_ = path.string();
  for (const SafetensorsEntry& entry : formats::read_safetensors_header(file)) {
    const bool is_tokens = entry.name.ends_with(kTokens);
    const std::size_t rank = is_tokens ? 1 : 2;
    if (entry.type != (is_tokens ? TensorType::kI64 : TensorType::kF32) ||
        entry.shape.size() != rank) {
      refuse(file.name(), entry.name, "expected F32 [count, columns] or I64 [count]");
    }
    if (is_tokens) {
      const std::string name = entry.name.substr(0, entry.name.size() - kTokens.size());
      calibration.tensors_[name].tokens = read_numbers<std::int64_t>(file, entry);
    } else {
      ColumnEnergy& energy = calibration.tensors_[entry.name];
      energy.count = entry.shape[0];
      energy.cols = entry.shape[1];
      energy.mean_square = read_numbers<float>(file, entry);
    }
  }
  for (const auto& [name, energy] : calibration.tensors_) check(energy, file.name(), name);
  return calibration;
}

void Calibration::save(const std::filesystem::path& path) const {
  formats::Json header = {{"__metadata__", {{"format", "leyden calibration"}}}};
  std::uint64_t end = 0;
  const auto place = [&](const std::string& name, const char* type, formats::Json shape,
                         std::uint64_t bytes) {
    header[name] = {
        {"dtype", type}, {"shape", std::move(shape)}, {"data_offsets", {end, end + bytes}}};
    end += bytes;
  };
  for (const auto& [name, energy] : tensors_) {
    place(name + std::string(kTokens), "I64", {energy.count}, energy.tokens.size() * 8);
    place(name, "F32", {energy.count, energy.cols}, energy.mean_square.size() * 4);
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t text_bytes = text.size();
  std::uint64_t at = 0;
  formats::OutputFile file(path, sizeof text_bytes + text.size() + end);
  const auto write = [&](std::span<const std::byte> bytes) {
    file.write(at, bytes);
    at += bytes.size();
  };
  write(std::as_bytes(std::span(&text_bytes, 1)));
  write(std::as_bytes(std::span(text)));
  for (const auto& [name, energy] : tensors_) {
    write(std::as_bytes(std::span(energy.tokens)));
    write(std::as_bytes(std::span(energy.mean_square)));
  }
  file.commit();
}

std::vector<float> Calibration::importance(const model::PlannedTensor& planned) const {
  const auto found = tensors_.find(recorded_name(planned.name));
  if (found == tensors_.end()) return {};
  const ColumnEnergy& energy = found->second;
  if (energy.count != planned.count || energy.cols != planned.cols) {
    refuse(source_, planned.name,
           fmt::format("holds {} x {} columns, expected {} x {} for this model", energy.count,
                       energy.cols, planned.count, planned.cols));
  }
  const auto cols = static_cast<std::size_t>(energy.cols);
  // Of all tokens together, for the matrices that saw none.
  std::vector<double> common(cols);
  for (std::size_t m = 0; m < energy.tokens.size(); ++m) {
    for (std::size_t c = 0; c < cols; ++c) {
      common[c] += static_cast<double>(energy.tokens[m]) * energy.mean_square[m * cols + c];
    }
  }
  std::vector<float> importance(energy.mean_square.size());
  for (std::size_t m = 0; m < energy.tokens.size(); ++m) {
    const auto value = [&](std::size_t c) {
      return energy.tokens[m] > 0 ? energy.mean_square[m * cols + c] : common[c];
    };
    double mean = 0;
    for (std::size_t c = 0; c < cols; ++c) mean += value(c);
    mean /= static_cast<double>(cols);
    for (std::size_t c = 0; c < cols; ++c) {
      const double share = mean > 0 ? value(c) / mean : 1;
      importance[m * cols + c] = std::max(kLeastImportance, static_cast<float>(share));
    }
  }
  return importance;
}

std::map<std::string, std::int64_t> Calibration::unreached() const {
  std::map<std::string, std::int64_t> unreached;
  for (const auto& [name, energy] : tensors_) {
    const std::int64_t n = std::count(energy.tokens.begin(), energy.tokens.end(), 0);
    if (n > 0) unreached[name] = n;
  }
  return unreached;
}

std::string Calibration::fingerprint() const {
  std::string text;
  for (const auto& [name, energy] : tensors_) {
    text += fmt::format("{} {} {} {} {}\n", name, energy.count, energy.cols,
                        to_hex(formats::checksum(std::as_bytes(std::span(energy.mean_square)))),
                        to_hex(formats::checksum(std::as_bytes(std::span(energy.tokens)))));
  }
  return to_hex(formats::checksum(text));
}

}  // namespace leyden
