#pragma once

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "src/benchmark.h"

namespace leyden::tools {

enum class ReportFormat { kMarkdown, kJson, kJsonLines, kCsv };

/// "md", "json", "jsonl", "csv"; checked by the command line.
ReportFormat parse_report_format(const std::string& name);

/// Prints benchmark rows as they come (JSON: as one list at the end).
class Report {
 public:
  Report(ReportFormat format, std::string model, std::string recipe, std::string isa,
         std::FILE* out);
  void add(const BenchmarkRow& row);
  void finish();
  /// All rows so far.
  const nlohmann::json& json() const { return rows_; }

 private:
  nlohmann::json row_json(const BenchmarkRow& row) const;
  void print_markdown(const BenchmarkRow& row);
  void print_csv(const BenchmarkRow& row);
  void print_steps() const;
  void print_last_chunks() const;

  ReportFormat format_;
  std::string model_, recipe_, isa_;
  std::FILE* out_;
  nlohmann::json rows_ = nlohmann::json::array();
};

}  // namespace leyden::tools
