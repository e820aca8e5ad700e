#include "tests/mutation/broken_model.h"

#include <cstring>
#include <fstream>
#include <optional>

#include "formats/container_index.h"
#include "formats/json.h"
#include "formats/load_error.h"
#include "tests/fuzz/seal.h"

namespace leyden::mutation {
namespace {

namespace fs = std::filesystem;

std::uint64_t number_at(const std::string& bytes, std::size_t at) {
  std::uint64_t number = 0;
  if (bytes.size() >= at + sizeof number) std::memcpy(&number, bytes.data() + at, sizeof number);
  return number;
}

/// Length, JSON, data: mostly the JSON changes, with the length put right again.
void break_safetensors(std::string& bytes, Mutator& mutator) {
  const std::size_t n_json = number_at(bytes, 0);
  if (bytes.size() < 8 || n_json > bytes.size() - 8) return mutator.change_bytes(bytes, 0, 8);
  std::string json = bytes.substr(8, n_json);
  if (mutator.chance(15)) return mutator.change_bytes(bytes, 0, 8);
  if (mutator.chance(25)) return mutator.change_bytes(bytes, 8 + n_json, bytes.size());
  mutator.change_text(json);
  const std::uint64_t length = json.size();
  std::string head(sizeof length, '\0');
  std::memcpy(head.data(), &length, sizeof length);
  bytes.replace(0, 8 + n_json, head + json);
}

/// What a refusal says that the fingerprint should have been.
std::optional<std::string> right_fingerprint(std::string_view json, std::uint64_t index_offset) {
  try {
    formats::parse_container_index(json, index_offset, "index");
  } catch (const formats::LoadError& error) {
    const std::string_view sentence = error.what();
    constexpr std::string_view kExpected = ", expected ", kFrom = " from what the index lists";
    const std::size_t begin = sentence.rfind(kExpected), end = sentence.rfind(kFrom);
    if (begin == sentence.npos || end == sentence.npos) return std::nullopt;
    return std::string(sentence.substr(begin + kExpected.size(), end - begin - kExpected.size()));
  }
  return std::nullopt;
}

void seal(std::string& bytes, std::uint64_t index_offset) {
  constexpr std::string_view kField = "\"fingerprint\":\"";
  const std::string_view json = std::string_view(bytes).substr(index_offset);
  const std::size_t field = json.find(kField);
  if (const auto right = right_fingerprint(json, index_offset); right && field != json.npos) {
    const std::size_t begin = index_offset + field + kField.size();
    bytes.replace(begin, bytes.find('"', begin) - begin, *right);
  }
  fuzz::seal(formats::kContainer, bytes, index_offset);
}

void break_container(std::string& bytes, Mutator& mutator) {
  const std::uint64_t index_offset = number_at(bytes, 24);
  if (index_offset < formats::kFileHeaderBytes || index_offset > bytes.size()) {
    return mutator.change_bytes(bytes, 0, bytes.size());
  }
  if (mutator.chance(20)) return mutator.change_bytes(bytes, 0, formats::kFileHeaderBytes);
  if (mutator.chance(20)) return mutator.change_bytes(bytes, 64, index_offset);
  std::string index = bytes.substr(index_offset);
  mutator.change_text(index);
  bytes.replace(index_offset, bytes.npos, index);
  if (mutator.chance(80)) seal(bytes, index_offset);
}

void break_gguf(std::string& bytes, Mutator& mutator) {
  constexpr std::size_t kHead = 12'000;  // keys and tensor list of the small models
  mutator.change_bytes(bytes, 0, mutator.chance(85) ? kHead : bytes.size());
}

void break_file(const std::string& name, std::string& bytes, Mutator& mutator) {
  if (mutator.chance(10)) return mutator.change_length(bytes);
  if (name.ends_with(".json")) return mutator.change_text(bytes);
  if (name.ends_with(".safetensors")) return break_safetensors(bytes, mutator);
  if (name.ends_with(".gguf")) return break_gguf(bytes, mutator);
  break_container(bytes, mutator);
}

}  // namespace

Model::Model(const fs::path& path) : is_directory_(fs::is_directory(path)) {
  if (!is_directory_) {
    files_[path.filename().string()] = formats::read_text_file(path);
    return;
  }
  for (const auto& entry : fs::directory_iterator(path)) {
    files_[entry.path().filename().string()] = formats::read_text_file(entry.path());
  }
}

fs::path Model::write_broken(const fs::path& directory, Mutator& mutator) const {
  std::map<std::string, std::string> files = files_;
  for (std::size_t n = mutator.chance(80) ? 1 : 2; n > 0; --n) {
    auto file = files.begin();
    std::advance(file, static_cast<std::ptrdiff_t>(mutator.below(files.size())));
    if (is_directory_ && mutator.chance(3)) {
      files.erase(file);
      break;
    }
    break_file(file->first, file->second, mutator);
  }
  for (const auto& [name, bytes] : files) {
    std::ofstream(directory / name, std::ios::binary) << bytes;
  }
  return is_directory_ ? directory : directory / files.begin()->first;
}

}  // namespace leyden::mutation
