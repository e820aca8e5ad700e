#include "tools/bench_report.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

namespace leyden::tools {
namespace {

/// What a report of one row prints.
std::string report_of(const std::string& model, ReportFormat format,
                      const std::string& test = "prefill", int last_chunk = 0,
                      const std::string& recipe = "int8") {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* const out = open_memstream(&text, &size);
  Report report(format, model, recipe, "avx2", out);
  BenchmarkRow row;
  row.test = test;
  row.threads = 1;
  row.n = 8;
  row.samples = {12.5};
  row.tokens_per_second = 12.5;
  row.weight_bytes_per_token = 3e9;
  row.cache_bytes_per_token = 1e6;
  row.gb_per_second = 37.5;
  row.bandwidth_share = 0.5;
  row.limits.read_gb_per_second = 75;
  row.limits.integer_gmac_per_second = 1500;
  row.last_chunk = last_chunk;
  row.last_chunk_tokens_per_second = last_chunk > 0 ? 10.25 : 0;
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

TEST(BenchReport, HeadingIsOneLineWhateverNamesHold) {
  const std::string table =
      report_of("m\nn", ReportFormat::kMarkdown, "prefill", 0, "mi\033[31mne\n| x |");
  EXPECT_TRUE(table.starts_with("m…, recipe mi␛[31mne…, avx2\n\n| test |")) << table;
}

TEST(BenchReport, CsvHasWhatJsonHasAndNothingWhereThatHasNull) {
  const std::string read = report_of("m", ReportFormat::kCsv);
  EXPECT_TRUE(
      read.starts_with("model,recipe,isa,threads,test,n,depth,tokens_per_second,"
                       "gb_per_second,bandwidth_share,gmac_per_second,mac_share,attention"))
      << read;
  EXPECT_NE(read.find("_seconds,tokens_per_second_per_thread,weight_bytes_per_token,"
                      "cache_bytes_per_token,read_gb_per_second_limit,"
                      "integer_gmac_per_second_limit,last_chunk_tokens_per_second\n"),
            read.npos)
      << read;
  EXPECT_NE(read.find(",prefill,8,0,12.5,,,0,0,"), read.npos) << read;
  EXPECT_TRUE(read.ends_with(",12.5,,,75,1500,\n")) << read;
  const std::string written = report_of("m", ReportFormat::kCsv, "decode");
  EXPECT_NE(written.find(",decode,8,0,12.5,37.5,0.5,0,0,"), written.npos) << written;
  EXPECT_TRUE(written.ends_with(",12.5,3e+09,1e+06,75,1500,\n")) << written;
}

TEST(BenchReport, SaysHowFastAPromptOfSeveralChunksEnds) {
  const std::string said =
      "Last chunks of prompts: prefill 8, depth 0, 1 thread: 3 tokens at 10.25 ";
  const std::string of_many = report_of("m", ReportFormat::kMarkdown, "prefill", 3);
  EXPECT_NE(of_many.find(said), of_many.npos) << of_many;
  const std::string of_one = report_of("m", ReportFormat::kMarkdown);
  EXPECT_EQ(of_one.find("Last chunks"), of_one.npos) << of_one;
  EXPECT_TRUE(report_of("m", ReportFormat::kCsv, "prefill", 3).ends_with(",1500,10.25\n"));
  const auto line = nlohmann::json::parse(report_of("m", ReportFormat::kJsonLines));
  EXPECT_TRUE(line["last_chunk"].is_null() && line["last_chunk_tokens_per_second"].is_null());
}

TEST(Benchmark, TheRateIsThatOfTheMedianTime) {
  EXPECT_DOUBLE_EQ(median_rate({10, 30}), 15) << "a token takes 1/10 and 1/30 of a second";
  EXPECT_DOUBLE_EQ(median_rate({1, 5, 2}), 2);
}

}  // namespace
}  // namespace leyden::tools
