// Encoding speed by kind of text, in bytes per second of one thread. The aim is 5 MB/s or more
// everywhere (issue 2): a prompt of 100 k tokens then costs well under 0.1 s.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/json.h"
#include "formats/tokenizer_file.h"
#include "src/text/tokenizer.h"

namespace leyden::text {
namespace {

constexpr std::size_t kTextBytes = 2 << 20;
const std::string kData = LEYDEN_SOURCE_DIR "/tests/data/text/";

const Tokenizer& tokenizer() {
  static const Tokenizer instance(formats::read_tokenizer_file(kData + "tokenizer.json"));
  return instance;
}

std::string repeated(std::string_view unit) {
  std::string text;
  while (text.size() < kTextBytes) text += unit;
  return text;
}

// Chinese and English web pages, JSON and markup: a real agent's prompt.
std::string search_results() {
  return repeated(formats::read_text_file(kData + "encoding/test_output_search_w_date.txt"));
}

std::string source_code() {
  return repeated(formats::read_text_file(LEYDEN_SOURCE_DIR "/src/text/bpe.cc"));
}

std::string english() {
  return repeated(formats::read_text_file(LEYDEN_SOURCE_DIR "/models/demo/README.md"));
}

// All test vectors in a row: many scripts, emoji, control characters, hardly a word twice.
std::string every_script() {
  std::string text;
  const std::string lines = formats::read_text_file(kData + "tokenizer_vectors.jsonl");
  for (std::size_t at = 0; at < lines.size();) {
    const std::size_t end = lines.find('\n', at);
    const formats::Json line = formats::parse_json(lines.substr(at, end - at), "vectors");
    text += line["text"].get<std::string>();
    text += ' ';
    at = end + 1;
  }
  return repeated(text);
}

// Words of random letters: no piece is ever seen twice.
std::string random_words() {
  std::uint64_t state = 1;
  std::string text;
  while (text.size() < kTextBytes) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const auto letter = static_cast<char>('a' + (state >> 33) % 26);
    text += (state >> 58) < 12 ? ' ' : letter;
  }
  return text;
}

void encode(benchmark::State& state, std::string (*make_text)()) {
  const std::string text = make_text();
  std::size_t tokens = 0;
  for (auto _ : state) {
    tokens = tokenizer().encode_text(text).size();
    benchmark::DoNotOptimize(tokens);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
  state.counters["bytes/token"] = static_cast<double>(text.size()) / static_cast<double>(tokens);
}

BENCHMARK_CAPTURE(encode, english, english)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode, source_code, source_code)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode, search_results, search_results)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode, every_script, every_script)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode, random_words, random_words)->Unit(benchmark::kMillisecond);

void load(benchmark::State& state) {
  const std::string text = formats::read_text_file(kData + "tokenizer.json");
  for (auto _ : state) {
    benchmark::DoNotOptimize(Tokenizer(formats::parse_tokenizer_json(text, "tokenizer.json")));
  }
}
BENCHMARK(load)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace leyden::text
