#include "formats/container_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "formats/json_text.h"
#include "formats/load_error.h"

namespace leyden::formats {
namespace {

ContainerIndex parse_index(const InputFile& file) {
  const FileIndex index = read_index(kContainer, file);
  return parse_container_index(index.json, index.offset, file.name());
}

/// Whether a tensor ("layers.61.mtp.eh_proj") belongs to a layer behind those that decode.
bool is_mtp(std::string_view tensor, const ModelConfig& config) {
  constexpr std::string_view kLayers = "layers.";
  if (!tensor.starts_with(kLayers)) return false;
  int layer = 0;
  std::from_chars(tensor.data() + kLayers.size(), tensor.data() + tensor.size(), layer);
  return layer >= config.num_hidden_layers;
}

}  // namespace

bool is_container(const std::filesystem::path& path) { return is_of_kind(kContainer, path); }

ContainerReader::ContainerReader(const std::filesystem::path& path)
    : file_(path), index_(parse_index(file_)), fingerprint_(formats::fingerprint(index_)) {
  const auto config_text = blob("config.json");
  if (!config_text) throw LoadError(name(), "holds no 'config.json'");
  config_ = parse_model_config(*config_text, name() + ": config.json");
  const auto kept_only = std::stable_partition(
      index_.tensors.begin(), index_.tensors.end(),
      [&](const StoredTensor& tensor) { return !is_mtp(tensor.spec.name, config_); });
  n_model_tensors_ = static_cast<std::size_t>(kept_only - index_.tensors.begin());
  for (std::size_t i = 0; i < index_.tensors.size(); ++i) {
    by_name_.emplace(index_.tensors[i].spec.name, i);
  }
}

std::optional<std::string> ContainerReader::blob(std::string_view blob_name) const {
  const auto found = std::find_if(index_.blobs.begin(), index_.blobs.end(),
                                  [&](const StoredBlob& blob) { return blob.name == blob_name; });
  if (found == index_.blobs.end()) return std::nullopt;
  std::string bytes(found->bytes, '\0');
  file_.read_exact(found->offset, std::as_writable_bytes(std::span(bytes)));
  if (checksum(bytes) != found->checksum) {
    throw LoadError(name(), fmt::format("'{}' at byte {} is damaged: its checksum doesn't fit",
                                        blob_name, found->offset));
  }
  return bytes;
}

const StoredTensor* ContainerReader::find(std::string_view tensor_name) const {
  const auto found = by_name_.find(tensor_name);
  return found == by_name_.end() ? nullptr : &index_.tensors[found->second];
}

void ContainerReader::read(const StoredTensor& tensor, std::uint64_t offset,
                           std::span<std::byte> to) const {
  if (offset > tensor.bytes || to.size() > tensor.bytes - offset) {
    throw LoadError(name(), fmt::format("tensor '{}' has {} bytes, but {} from byte {} on were "
                                        "asked for",
                                        tensor.spec.name, tensor.bytes, to.size(), offset));
  }
  file_.read_exact(tensor.offset + offset, to);
}

void ContainerReader::verify(const StoredTensor& tensor) const {
  ChunkedChecksum sum(tensor.bytes);
  std::vector<std::byte> bytes(std::min(tensor.bytes, ChunkedChecksum::kChunkBytes));
  for (std::size_t chunk = 0; chunk < sum.n_chunks(); ++chunk) {
    const auto part = std::span(bytes).first(sum.chunk_bytes(chunk));
    read(tensor, chunk * ChunkedChecksum::kChunkBytes, part);
    sum.set(chunk, part);
  }
  if (sum.value() == tensor.checksum) return;
  throw LoadError(name(), fmt::format("tensor '{}' at byte {} is damaged: its checksum is {}, "
                                      "expected {}",
                                      excerpt(tensor.spec.name, 200), tensor.offset,
                                      to_hex(sum.value()), to_hex(tensor.checksum)));
}

}  // namespace leyden::formats
