#include "tools/bench_report.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

namespace leyden::tools {
namespace {

/// What a report of one row prints.
std::string report_of(const std::string& model, ReportFormat format) {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* const out = open_memstream(&text, &size);
  Report report(format, model, "int8", "avx2", out);
  BenchmarkRow row;
  row.test = "prefill";
  row.threads = 1;
  row.n = 8;
  row.samples = {12.5};
  row.tokens_per_second = 12.5;
  report.add(row);
  report.finish();
  std::fclose(out);
  std::string printed(text, size);
  std::free(text);
  return printed;
}

TEST(BenchReport, MayBeOfAModelWhosePathIsNotUtf8OrHasQuotes) {
  const std::string odd = "odd\xff\".leyden", readable = "odd\xef\xbf\xbd\".leyden";
  const auto list = nlohmann::json::parse(report_of(odd, ReportFormat::kJson));
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0]["model"], readable);
  EXPECT_EQ(list[0]["tokens_per_second"], 12.5);
  const auto line = nlohmann::json::parse(report_of(odd, ReportFormat::kJsonLines));
  EXPECT_EQ(line["model"], readable);
  const std::string csv = report_of(odd, ReportFormat::kCsv);
  EXPECT_NE(csv.find("\n\"odd\xff\"\".leyden\",\"int8\",avx2,1,prefill,8,0,12.5,"), csv.npos)
      << csv;
}

}  // namespace
}  // namespace leyden::tools
