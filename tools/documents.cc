#include "tools/documents.h"

#include <algorithm>

#include "formats/json.h"
#include "formats/json_field.h"
#include "formats/load_error.h"
#include "formats/utf8.h"
#include "src/text/tokenizer.h"

namespace leyden::tools {

std::vector<std::int32_t> tokens_of(const formats::JsonField& list) {
  std::vector<std::int32_t> tokens;
  for (std::size_t i = 0; i < list.size(); ++i) {
    tokens.push_back(static_cast<std::int32_t>(list.element(i).as_integer(0, 1 << 30)));
  }
  return tokens;
}

Documents read_documents(const std::string& file) {
  const formats::Json json = formats::read_json_file(file);
  const formats::JsonField root(json, file);
  if (json.is_array()) return {tokens_of(root)};
  if (const auto documents = root.find("documents")) {
    Documents all;
    for (std::size_t i = 0; i < documents->size(); ++i) {
      all.push_back(tokens_of(documents->element(i)));
    }
    return all;
  }
  return {tokens_of(root.at("tokens"))};
}

std::string read_utf8_file(const std::string& file) {
  std::string text = formats::read_text_file(file);
  const std::size_t valid = formats::utf8_valid_prefix(text);
  if (valid < text.size()) {
    throw formats::LoadError(file, "byte " + std::to_string(valid) + ": expected text in UTF-8");
  }
  return text;
}

Documents cut_text(const Engine& engine, const std::string& text, int n_tokens) {
  const std::vector<std::int32_t> all = engine.tokenizer().encode_text(text);
  Documents documents;
  for (auto at = all.begin(); at != all.end();) {
    auto& document = documents.emplace_back();
    if (const auto begin = engine.begin_token()) document.push_back(*begin);
    const auto room = n_tokens - static_cast<std::ptrdiff_t>(document.size());
    const auto end =
        at + std::min<std::ptrdiff_t>(std::max<std::ptrdiff_t>(room, 1), all.end() - at);
    document.insert(document.end(), at, end);
    at = end;
  }
  return documents;
}

}  // namespace leyden::tools
