#include "formats/container_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "formats/compression.h"
#include "formats/json_text.h"
#include "formats/load_error.h"

namespace leyden::formats {
namespace {

ContainerIndex parse_index(const InputFile& file) {
  const FileIndex index = read_index(kContainer, file);
  return parse_container_index(index.json, index.offset, file.name());
}

constexpr std::string_view kLayers = "layers.";

/// Whether a tensor ("layers.61.mtp.eh_proj") belongs to a layer behind those that decode.
bool is_mtp(std::string_view tensor, const ModelConfig& config) {
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
  check_mtp_layers();
}

void ContainerReader::check_mtp_layers() const {
  for (const StoredTensor& tensor : all_tensors().subspan(n_model_tensors_)) {
    const std::string& norm = tensor.spec.name;
    if (!norm.ends_with(".attn_norm")) continue;
    const std::string eh_proj = norm.substr(0, norm.find('.', kLayers.size())) + ".mtp.eh_proj";
    if (find(eh_proj) != nullptr) continue;
    throw LoadError(
        name(), fmt::format("tensor '{}' is of a layer that the config doesn't have: its "
                            "num_hidden_layers is {}, and this layer predicts no further token "
                            "(it has no '{}')",
                            excerpt(norm, 200), config_.num_hidden_layers, excerpt(eh_proj, 200)));
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
  if (!tensor.frames.empty()) return read_frames(tensor, offset, to);
  file_.read_exact(tensor.offset + offset, to);
}

void ContainerReader::read_frames(const StoredTensor& tensor, std::uint64_t offset,
                                  std::span<std::byte> to) const {
  Decompressor decompressor;
  std::vector<std::byte> stored, whole;
  const std::uint64_t end = offset + to.size();
  std::uint64_t begin = 0;  // of the frame, in the tensor
  for (const StoredFrame& frame : tensor.frames) {
    const std::uint64_t first = std::max(begin, offset);
    const std::uint64_t last = std::min(begin + frame.bytes, end);
    if (first < last) {
      stored.resize(frame.stored_bytes);
      file_.read_exact(frame.offset, stored);
      const auto part = to.subspan(first - offset, last - first);
      const bool is_whole = part.size() == frame.bytes;
      if (!is_whole) whole.resize(frame.bytes);
      if (!decompressor.decompress(stored, is_whole ? part : std::span(whole))) {
        throw LoadError(name(), fmt::format("tensor '{}': the zstd frame at byte {} is damaged",
                                            excerpt(tensor.spec.name, 200), frame.offset));
      }
      if (!is_whole) std::memcpy(part.data(), whole.data() + (first - begin), part.size());
    }
    begin += frame.bytes;
  }
}

MappedFile ContainerReader::map() const {
  for (const StoredTensor& tensor : index_.tensors) {
    if (tensor.frames.empty()) continue;
    throw LoadError(name(),
                    "is compressed, so it can't be mapped; load it, or convert again "
                    "without --compress");
  }
  return MappedFile(file_);
}

void ContainerReader::verify(const StoredTensor& tensor) const {
  // Several chunks at a time, since frames that lie across a border are decompressed twice.
  constexpr std::size_t kChunksAtATime = 16;
  constexpr std::uint64_t kChunk = ChunkedChecksum::kChunkBytes;
  ChunkedChecksum sum(tensor.bytes);
  std::vector<std::byte> bytes(std::min(tensor.bytes, kChunksAtATime * kChunk));
  for (std::uint64_t at = 0; at < tensor.bytes; at += bytes.size()) {
    const auto run = std::span(bytes).first(std::min(bytes.size(), tensor.bytes - at));
    read(tensor, at, run);
    for (std::uint64_t done = 0; done < run.size(); done += kChunk) {
      const std::size_t chunk = (at + done) / kChunk;
      sum.set(chunk, run.subspan(done, sum.chunk_bytes(chunk)));
    }
  }
  if (sum.value() == tensor.checksum) return;
  throw LoadError(name(),
                  fmt::format("tensor '{}' at byte {} is damaged: its checksum is {}, "
                              "expected {}",
                              excerpt(tensor.spec.name, 200),
                              tensor.frames.empty() ? tensor.offset : tensor.frames.front().offset,
                              to_hex(sum.value()), to_hex(tensor.checksum)));
}

}  // namespace leyden::formats
