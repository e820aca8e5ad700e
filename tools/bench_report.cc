#include "tools/bench_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "tools/visible_text.h"

namespace leyden::tools {
namespace {

nlohmann::json finite(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json();
}

/// A model's path need not be UTF-8.
std::string line_of(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string csv_text(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

/// Nothing where a row's JSON has null.
std::string csv_number(const nlohmann::json& value) {
  return value.is_null() ? "" : fmt::format("{:.6g}", value.get<double>());
}

/// Columns of CSV that are numbers, as they are called in a row's JSON. New ones go to the end:
/// programs may count.
constexpr std::array kCsvNumbers = {"tokens_per_second", "gb_per_second", "bandwidth_share",
                                    "gmac_per_second", "mac_share"};
constexpr std::array kLastCsvNumbers = {
    "tokens_per_second_per_thread",  "weight_bytes_per_token",
    "cache_bytes_per_token",         "read_gb_per_second_limit",
    "integer_gmac_per_second_limit", "last_chunk_tokens_per_second"};

/// Largest minus smallest sample, relative to the median.
double spread(const BenchmarkRow& row) {
  const auto [low, high] = std::ranges::minmax(row.samples);
  return (high - low) / row.tokens_per_second;
}

}  // namespace

ReportFormat parse_report_format(const std::string& name) {
  if (name == "json") return ReportFormat::kJson;
  if (name == "jsonl") return ReportFormat::kJsonLines;
  if (name == "csv") return ReportFormat::kCsv;
  return ReportFormat::kMarkdown;
}

Report::Report(ReportFormat format, std::string model, std::string recipe, std::string isa,
               std::FILE* out)
    : format_(format),
      model_(std::move(model)),
      recipe_(std::move(recipe)),
      isa_(std::move(isa)),
      out_(out) {}

nlohmann::json Report::row_json(const BenchmarkRow& row) const {
  nlohmann::json parts;
  for (std::size_t i = 0; i < model::kParts.size(); ++i) {
    parts[std::string(name(model::kParts[i]))] = finite(row.part_seconds[i]);
  }
  nlohmann::json steps;
  for (std::size_t i = 0; i < model::kSteps.size(); ++i) {
    steps[std::string(name(model::kSteps[i]))] = finite(row.step_seconds[i]);
  }
  const bool decodes = row.test == "decode";
  const bool has_chunks = row.last_chunk > 0;
  return {
      {"model", model_},
      {"recipe", recipe_},
      {"isa", isa_},
      {"threads", row.threads},
      {"test", row.test},
      {"n", row.n},
      {"depth", row.depth},
      {"tokens_per_second", finite(row.tokens_per_second)},
      {"tokens_per_second_per_thread", finite(row.tokens_per_second / row.threads)},
      {"weight_bytes_per_token", decodes ? finite(row.weight_bytes_per_token) : nlohmann::json()},
      {"cache_bytes_per_token", decodes ? finite(row.cache_bytes_per_token) : nlohmann::json()},
      {"gb_per_second", decodes ? finite(row.gb_per_second) : nlohmann::json()},
      {"bandwidth_share", decodes ? finite(row.bandwidth_share) : nlohmann::json()},
      {"gmac_per_second", finite(row.gmac_per_second)},
      {"mac_share", finite(row.mac_share)},
      {"read_gb_per_second_limit", finite(row.limits.read_gb_per_second)},
      {"integer_gmac_per_second_limit", finite(row.limits.integer_gmac_per_second)},
      {"last_chunk", has_chunks ? nlohmann::json(row.last_chunk) : nlohmann::json()},
      {"last_chunk_tokens_per_second",
       has_chunks ? finite(row.last_chunk_tokens_per_second) : nlohmann::json()},
      {"parts", std::move(parts)},
      {"steps", std::move(steps)},
      {"samples", row.samples}};
}

void Report::print_markdown(const BenchmarkRow& row) {
  if (rows_.size() == 1) {
    fmt::print(out_, "{}, recipe {}, {}\n\n", excerpt(model_), excerpt(recipe_), isa_);
    fmt::print(out_,
               "| test | depth | threads | tokens/s | spread | ms/token | per thread | GB/s | of "
               "bandwidth | GMAC/s | of peak |");
    for (const model::Part part : model::kParts) fmt::print(out_, " {} |", name(part));
    fmt::print(out_, "\n|---|---|---|---|---|---|---|---|---|---|---|");
    for (std::size_t i = 0; i < model::kParts.size(); ++i) fmt::print(out_, "---|");
    fmt::print(out_, "\n");
  }
  const bool decodes = row.test == "decode";
  fmt::print(out_,
             "| {} {} | {} | {} | {:.2f} | {:.1f} % | {:.2f} | {:.2f} | {} | {} | {:.1f} | "
             "{:.1f} % |",
             row.test, row.n, row.depth, row.threads, row.tokens_per_second, 100 * spread(row),
             1e3 / row.tokens_per_second, row.tokens_per_second / row.threads,
             decodes ? fmt::format("{:.1f}", row.gb_per_second) : "",
             decodes ? fmt::format("{:.1f} %", 100 * row.bandwidth_share) : "", row.gmac_per_second,
             100 * row.mac_share);
  double total = 0;
  for (const double seconds : row.part_seconds) total += seconds;
  for (const double seconds : row.part_seconds) {
    fmt::print(out_, " {:.1f} % |", 100 * seconds / total);
  }
  fmt::print(out_, "\n");
  std::fflush(out_);
}

/// A second table: the same time by what was done.
void Report::print_steps() const {
  fmt::print(out_, "\n| test | depth | threads |");
  for (const model::Step step : model::kSteps) fmt::print(out_, " {} |", name(step));
  fmt::print(out_, "\n|---|---|---|");
  for (std::size_t i = 0; i < model::kSteps.size(); ++i) fmt::print(out_, "---|");
  fmt::print(out_, "\n");
  for (const auto& row : rows_) {
    fmt::print(out_, "| {} {} | {} | {} |", row["test"].get<std::string>(), row["n"].get<int>(),
               row["depth"].get<int>(), row["threads"].get<int>());
    double total = 0;
    for (const auto& seconds : row["steps"]) total += seconds.get<double>();
    for (const model::Step step : model::kSteps) {
      const double seconds = row["steps"][std::string(name(step))].get<double>();
      fmt::print(out_, " {:.1f} % |", 100 * seconds / total);
    }
    fmt::print(out_, "\n");
  }
}

/// A prompt of several chunks is slower at its end, where there is more to attend to.
void Report::print_last_chunks() const {
  std::string text;
  for (const auto& row : rows_) {
    if (row["last_chunk"].is_null()) continue;
    text += fmt::format(" prefill {}, depth {}, {} thread{}: {} tokens at {:.2f} tokens/s;",
                        row["n"].get<int>(), row["depth"].get<int>(), row["threads"].get<int>(),
                        row["threads"] == 1 ? "" : "s", row["last_chunk"].get<int>(),
                        row["last_chunk_tokens_per_second"].get<double>());
  }
  if (!text.empty()) fmt::print(out_, "\nLast chunks of prompts:{}\n", text);
}

void Report::print_csv(const BenchmarkRow& row) {
  if (rows_.size() == 1) {
    fmt::print(out_, "model,recipe,isa,threads,test,n,depth,{}", fmt::join(kCsvNumbers, ","));
    for (const model::Part part : model::kParts) fmt::print(out_, ",{}_seconds", name(part));
    for (const model::Step step : model::kSteps) fmt::print(out_, ",{}_seconds", name(step));
    fmt::print(out_, ",{}\n", fmt::join(kLastCsvNumbers, ","));
  }
  const nlohmann::json& json = rows_.back();
  fmt::print(out_, "{},{},{},{},{},{},{}", csv_text(model_), csv_text(recipe_), isa_, row.threads,
             row.test, row.n, row.depth);
  for (const char* const key : kCsvNumbers) fmt::print(out_, ",{}", csv_number(json.at(key)));
  for (const double seconds : row.part_seconds) fmt::print(out_, ",{:.6g}", seconds);
  for (const double seconds : row.step_seconds) fmt::print(out_, ",{:.6g}", seconds);
  for (const char* const key : kLastCsvNumbers) fmt::print(out_, ",{}", csv_number(json.at(key)));
  fmt::print(out_, "\n");
  std::fflush(out_);
}

void Report::add(const BenchmarkRow& row) {
  rows_.push_back(row_json(row));
  switch (format_) {
    case ReportFormat::kMarkdown:
      print_markdown(row);
      break;
    case ReportFormat::kCsv:
      print_csv(row);
      break;
    case ReportFormat::kJsonLines:
      fmt::print(out_, "{}\n", line_of(rows_.back()));
      std::fflush(out_);
      break;
    case ReportFormat::kJson:
      break;
  }
}

void Report::finish() {
  if (format_ == ReportFormat::kJson) fmt::print(out_, "{}\n", line_of(rows_));
  if (format_ != ReportFormat::kMarkdown || rows_.empty()) return;
  print_steps();
  print_last_chunks();
  fmt::print(out_, "\nLimits measured in the same run:");
  int seen = 0;
  for (const auto& row : rows_) {
    if (row["threads"] == seen) continue;
    seen = row["threads"];
    fmt::print(out_, " {} thread{}: {:.1f} GB/s, {:.1f} GMAC/s;", seen, seen == 1 ? "" : "s",
               row["read_gb_per_second_limit"].get<double>(),
               row["integer_gmac_per_second_limit"].get<double>());
  }
  fmt::print(out_, "\n");
}

}  // namespace leyden::tools
