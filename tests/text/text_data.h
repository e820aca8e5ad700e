#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "formats/json.h"
#include "formats/tokenizer_file.h"
#include "src/text/tokenizer.h"

namespace leyden::text {

inline std::filesystem::path text_data(const std::string& name) {
  return std::filesystem::path(LEYDEN_TEST_DATA) / "text" / name;
}

inline std::string text_file(const std::string& name) {
  return formats::read_text_file(text_data(name));
}

/// The documents of a .jsonl file.
inline std::vector<formats::Json> json_lines(const std::string& name) {
  std::vector<formats::Json> lines;
  const std::string text = text_file(name);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    if (end > at) lines.push_back(formats::parse_json(text.substr(at, end - at), name));
    if (end == std::string::npos) break;
    at = end + 1;
  }
  return lines;
}

/// DeepSeek-V3.1's tokenizer, loaded once.
inline const Tokenizer& deepseek_tokenizer() {
  static const Tokenizer tokenizer(formats::read_tokenizer_file(text_data("tokenizer.json")));
  return tokenizer;
}

/// The demo model's tokenizer, loaded once.
inline const Tokenizer& demo_tokenizer() {
  static const Tokenizer tokenizer(formats::read_tokenizer_file(
      std::filesystem::path(LEYDEN_SOURCE_DIR) / "models/demo/checkpoint/tokenizer.json"));
  return tokenizer;
}

}  // namespace leyden::text
