#include <string>
#include <string_view>

#include "formats/byte_alphabet.h"
#include "formats/json_text.h"
#include "formats/tokenizer_file.h"

namespace leyden::formats {
namespace {

// Appends elements with commas between them.
class List {
 public:
  explicit List(std::string& out) : out_(out) {}
  void add(std::string_view element) {
    if (!first_) out_ += ",\n";
    first_ = false;
    out_ += element;
  }

 private:
  std::string& out_;
  bool first_ = true;
};

std::string added_token_text(const AddedToken& token) {
  return "{\"id\": " + std::to_string(token.id) + ", \"content\": " + json_quote(token.text) +
         ", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": false, "
         "\"special\": " +
         (token.special ? "true}" : "false}");
}

std::string split_text(const std::string& pattern) {
  return "{\"type\": \"Split\", \"pattern\": {\"Regex\": " + json_quote(pattern) +
         "}, \"behavior\": \"Isolated\", \"invert\": false}";
}

}  // namespace

std::string tokenizer_json(const TokenizerSpec& spec) {
  const auto spelled = [&](std::int32_t id) { return spell_bytes(spec.token_bytes[id]); };
  std::string out = "{\"version\": \"1.0\", \"truncation\": null, \"padding\": null,\n";

  out += "\"added_tokens\": [\n";
  List added(out);
  for (const AddedToken& token : spec.added_tokens) added.add(added_token_text(token));

  out +=
      "],\n\"normalizer\": null,\n\"pre_tokenizer\": {\"type\": \"Sequence\", "
      "\"pretokenizers\": [\n";
  List splits(out);
  for (const std::string& pattern : spec.split_patterns) splits.add(split_text(pattern));
  splits.add(
      "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, "
      "\"use_regex\": false}");

  out +=
      "]},\n\"post_processor\": null,\n\"decoder\": {\"type\": \"ByteLevel\", "
      "\"add_prefix_space\": true, \"trim_offsets\": true, \"use_regex\": true},\n"
      "\"model\": {\"type\": \"BPE\", \"dropout\": null, \"unk_token\": null,\n\"vocab\": {\n";
  List vocabulary(out);
  for (std::size_t id = 0; id < spec.token_bytes.size(); ++id) {
    if (spec.token_bytes[id].empty()) continue;
    vocabulary.add(json_quote(spelled(static_cast<std::int32_t>(id))) + ": " + std::to_string(id));
  }

  out += "},\n\"merges\": [\n";
  List merges(out);
  for (const TokenMerge& merge : spec.merges) {
    merges.add(json_quote(spelled(merge.left) + " " + spelled(merge.right)));
  }
  out += "]}}\n";
  return out;
}

}  // namespace leyden::formats
