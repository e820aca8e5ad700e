#include "formats/tokenizer_file.h"

#include <fmt/format.h>

#include <string>

#include "formats/json.h"
#include "formats/json_field.h"
#include "formats/tokenizer_builder.h"

namespace leyden::formats {
namespace {

void expect_text(const JsonField& object, std::string_view key, std::string_view expected) {
  const JsonField field = object.at(key);
  if (field.as_string() != expected) field.refuse(fmt::format("\"{}\"", expected));
}

// A setting that must be off: absent, null, false, "" or an empty list.
void expect_off(const JsonField& object, std::string_view key) {
  const auto field = object.find(key);
  if (!field) return;
  const Json& value = field->value();
  const bool off = value == Json(false) || value == Json("") || (value.is_array() && value.empty());
  if (!off) field->refuse("to be absent, null or false");
}

void expect_no_normalizer(const JsonField& root) {
  const auto normalizer = root.find("normalizer");
  if (!normalizer) return;
  expect_text(*normalizer, "type", "Sequence");
  expect_off(*normalizer, "normalizers");
}

void read_split(const JsonField& split, TokenizerBuilder& builder) {
  expect_text(split, "behavior", "Isolated");
  expect_off(split, "invert");
  builder.add_split_pattern(split.at("pattern").string("Regex"));
}

// Splits, then the byte alphabet without a split of its own.
void read_pre_tokenizer(const JsonField& sequence, TokenizerBuilder& builder) {
  expect_text(sequence, "type", "Sequence");
  const JsonField steps = sequence.at("pretokenizers");
  bool byte_level = false;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const JsonField step = steps.element(i);
    const std::string& type = step.string("type");
    if (byte_level) step.refuse("nothing after ByteLevel");
    if (type == "Split") {
      read_split(step, builder);
    } else if (type == "Digits") {
      builder.add_split_pattern(step.boolean("individual_digits") ? "\\p{N}" : "\\p{N}+");
    } else if (type == "ByteLevel") {
      expect_off(step, "add_prefix_space");
      if (step.boolean_or("use_regex", true)) step.refuse("ByteLevel with use_regex false");
      byte_level = true;
    } else {
      step.at("type").refuse("\"Split\", \"Digits\" or \"ByteLevel\"");
    }
  }
  if (!byte_level) steps.refuse("a last element of type ByteLevel");
}

// Here and in read_merges() a JsonField is made only for what isn't as it should be: there are more
// than a hundred thousand entries.
void read_vocabulary(const JsonField& model, TokenizerBuilder& builder) {
  const JsonField vocabulary = model.at("vocab");
  if (!vocabulary.value().is_object()) vocabulary.refuse("an object");
  std::size_t index = 0;
  for (const auto& [spelling, id] : vocabulary.value().get_ref<const Json::object_t&>()) {
    if (!id.is_number_integer()) vocabulary.at(spelling).as_integer(0, kMaxTokenId);
    builder.add_token(id.get<std::int64_t>(), spelling, {"model.vocab", index++});
  }
}

void read_added_tokens(const JsonField& root, TokenizerBuilder& builder) {
  const auto tokens = root.find("added_tokens");
  if (!tokens) return;
  for (std::size_t i = 0; i < tokens->size(); ++i) {
    const JsonField token = tokens->element(i);
    for (const char* key : {"single_word", "lstrip", "rstrip"}) expect_off(token, key);
    builder.add_added_token(token.integer("id", 0, kMaxTokenId), token.string("content"),
                            token.boolean_or("special", false), {"added_tokens", i});
  }
}

// Each merge is "left right", or ["left", "right"] in newer files.
void read_merges(const JsonField& model, TokenizerBuilder& builder) {
  const JsonField merges = model.at("merges");
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const Json& merge = merges.value()[i];
    const TokenPlace place = {"model.merges", i};
    if (merge.is_string()) {
      builder.add_merge(merge.get_ref<const std::string&>(), place);
    } else {
      const JsonField pair = merges.element(i);
      if (pair.size() != 2) pair.refuse("a pair of tokens");
      builder.add_merge(pair.element(0).as_string(), pair.element(1).as_string(), place);
    }
  }
}

}  // namespace

TokenizerSpec parse_tokenizer_json(std::string_view text, const std::string& origin) {
  const Json document = parse_json(text, origin);
  const JsonField root(document, origin);
  TokenizerBuilder builder(origin);

  expect_no_normalizer(root);
  read_pre_tokenizer(root.at("pre_tokenizer"), builder);

  const JsonField model = root.at("model");
  if (model.has("type")) expect_text(model, "type", "BPE");
  for (const char* key : {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
                          "fuse_unk", "byte_fallback", "ignore_merges"}) {
    expect_off(model, key);
  }
  read_vocabulary(model, builder);
  read_added_tokens(root, builder);
  read_merges(model, builder);
  return builder.finish();
}

TokenizerSpec read_tokenizer_file(const std::filesystem::path& path) {
  return parse_tokenizer_json(read_text_file(path), path.string());
}

}  // namespace leyden::formats
