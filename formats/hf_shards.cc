#include "formats/hf_shards.h"

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>

#include "formats/json_field.h"
#include "formats/json_text.h"
#include "formats/load_error.h"

namespace leyden::formats {
namespace {

namespace fs = std::filesystem;

/// Names of the tensors each shard must hold, in the order of the shards' names.
using ShardMap = std::map<std::string, std::map<std::string, bool, std::less<>>>;

HfShard open_shard(const fs::path& path) {
  InputFile file(path);
  auto entries = read_safetensors_header(file);
  return {std::move(file), std::move(entries)};
}

ShardMap read_index(const fs::path& path) {
  const Json document = parse_json(read_regular_file(path), path.string());
  ShardMap shards;
  JsonField(document, path.string())
      .at("weight_map")
      .for_each_member([&](const std::string& tensor, const JsonField& field) {
        const std::string& shard = field.as_string();
        // A name from a file must not lead out of the directory.
        if (shard.empty() || shard.find('/') != std::string::npos || shard == "." ||
            shard == "..") {
          field.refuse("the name of a file in the same directory");
        }
        shards[shard][tensor] = false;
      });
  if (shards.empty()) throw LoadError(path.string(), "field 'weight_map' names no tensors");
  return shards;
}

/// Checks that `shard` holds exactly `expected`, whose marks it uses.
void check_shard(const HfShard& shard, std::map<std::string, bool, std::less<>>& expected,
                 const std::string& index) {
  for (const SafetensorsEntry& entry : shard.entries) {
    const auto found = expected.find(entry.name);
    if (found == expected.end()) {
      throw LoadError(shard.file.name(), fmt::format("tensor '{}' is not expected here by {}",
                                                     excerpt(entry.name, 200), index));
    }
    found->second = true;
  }
  for (const auto& [tensor, is_there] : expected) {
    if (is_there) continue;
    throw LoadError(shard.file.name(), fmt::format("tensor '{}' is missing, expected here by {}",
                                                   excerpt(tensor, 200), index));
  }
}

std::vector<HfShard> open_indexed(const fs::path& directory, const fs::path& index) {
  std::vector<HfShard> shards;
  for (auto& [name, tensors] : read_index(index)) {
    const fs::path path = directory / name;
    std::error_code ignored;
    if (!fs::exists(path, ignored)) {
      throw LoadError(path.string(), fmt::format("is missing, but {} puts {} tensors there",
                                                 index.string(), tensors.size()));
    }
    shards.push_back(open_shard(path));
    check_shard(shards.back(), tensors, index.string());
  }
  return shards;
}

fs::path only_safetensors_file(const fs::path& directory) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().extension() == ".safetensors") found.push_back(entry.path());
  }
  if (found.size() == 1) return found.front();
  throw LoadError(directory.string(),
                  found.empty() ? "holds no weights, expected model.safetensors or shards with "
                                  "model.safetensors.index.json"
                                : fmt::format("holds {} safetensors files, but no "
                                              "model.safetensors.index.json that says what is "
                                              "where",
                                              found.size()));
}

}  // namespace

std::vector<HfShard> open_hf_shards(const fs::path& directory) {
  // What is there and can't be looked at, as a link that leads to itself, is opened for a sentence.
  const auto is_there = [](const fs::path& path) {
    std::error_code ignored;
    return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
  };
  const fs::path index = directory / "model.safetensors.index.json";
  if (is_there(index)) return open_indexed(directory, index);
  const fs::path single = directory / "model.safetensors";
  std::vector<HfShard> shards;
  shards.push_back(open_shard(is_there(single) ? single : only_safetensors_file(directory)));
  return shards;
}

}  // namespace leyden::formats
