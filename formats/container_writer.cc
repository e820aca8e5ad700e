#include "formats/container_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace leyden::formats {
namespace {

constexpr std::uint64_t kChunk = ChunkedChecksum::kChunkBytes;
/// What a failing machine may cost at most.
constexpr std::uint64_t kSyncEvery = std::uint64_t{1} << 30;

std::uint64_t aligned(std::uint64_t offset, std::uint64_t alignment) {
  return (offset + alignment - 1) / alignment * alignment;
}

/// Places blobs, small tensors and large tensors one after the other; gives the end.
std::uint64_t place_parts(ContainerIndex& index) {
  std::uint64_t end = kFileHeaderBytes;
  const auto place = [&end](std::uint64_t& offset, std::uint64_t bytes, std::uint64_t alignment) {
    offset = aligned(end, alignment);
    end = offset + bytes;
  };
  for (StoredBlob& blob : index.blobs) place(blob.offset, blob.bytes, kSmallAlignment);
  for (const std::uint64_t alignment : {kSmallAlignment, kLargeAlignment}) {
    for (StoredTensor& tensor : index.tensors) {
      if (alignment_of(tensor.bytes) == alignment) place(tensor.offset, tensor.bytes, alignment);
    }
  }
  return aligned(end, kSmallAlignment);
}

}  // namespace

ContainerWriter::Progress::Progress(std::uint64_t bytes)
    : checksum(bytes), missing(new std::atomic<std::int64_t>[checksum.n_chunks()]) {
  for (std::size_t i = 0; i < checksum.n_chunks(); ++i) {
    missing[i] = static_cast<std::int64_t>(checksum.chunk_bytes(i));
  }
}

ContainerWriter::ContainerWriter(const std::filesystem::path& path, std::string recipe,
                                 const std::vector<Blob>& blobs,
                                 const std::vector<quant::TensorSpec>& tensors,
                                 const WriterOptions& options) {
  index_.recipe = std::move(recipe);
  for (const Blob& blob : blobs) {
    index_.blobs.push_back({blob.name, 0, blob.bytes.size(), checksum(blob.bytes)});
  }
  for (const quant::TensorSpec& spec : tensors) {
    index_.tensors.push_back({spec, 0, spec.bytes(), {}});
    progress_.emplace_back(index_.tensors.back().bytes);
  }
  index_offset_ = place_parts(index_);
  const Checksum identity = checksum(options.source + "\n" + to_json(index_));
  file_.emplace(path, index_offset_, 0644, options.unfinished);
  journal_.emplace(path.string() + ".partial.journal", identity, options.unfinished);
  if (recovered().empty()) file_->clear(index_offset_);
  for (std::size_t i = 0; i < blobs.size(); ++i) {
    file_->write(index_.blobs[i].offset, std::as_bytes(std::span(blobs[i].bytes)));
  }
}

bool ContainerWriter::adopt(const WrittenPiece& piece, std::span<std::byte> bytes) {
  if (piece.tensor >= index_.tensors.size() || piece.bytes != bytes.size()) return false;
  const StoredTensor& stored = index_.tensors[piece.tensor];
  if (piece.offset > stored.bytes || piece.bytes > stored.bytes - piece.offset) return false;
  try {
    file_->read(stored.offset + piece.offset, bytes);
  } catch (const WriteError&) {
    return false;
  }
  if (checksum(bytes) != piece.checksum) return false;
  record(piece.tensor, piece.offset, bytes);
  return true;
}

void ContainerWriter::sync_now_and_then(std::uint64_t bytes) {
  // Whoever crosses a multiple syncs, and the others go on writing.
  const std::uint64_t before = written_.fetch_add(bytes);
  if (before / kSyncEvery == (before + bytes) / kSyncEvery) return;
  file_->sync();
  journal_->sync();
}

void ContainerWriter::write(std::size_t tensor, std::uint64_t offset,
                            std::span<const std::byte> bytes) {
  const StoredTensor& stored = index_.tensors.at(tensor);
  if (offset > stored.bytes || bytes.size() > stored.bytes - offset) {
    throw std::logic_error(fmt::format("tensor '{}': {} bytes at byte {} don't fit into {}",
                                       stored.spec.name, bytes.size(), offset, stored.bytes));
  }
  file_->write(stored.offset + offset, bytes);
  record(tensor, offset, bytes);
  journal_->add(
      {tensor, offset, bytes.size(), stored.offset + offset, bytes.size(), checksum(bytes)});
  sync_now_and_then(bytes.size());
}

void ContainerWriter::record(std::size_t tensor, std::uint64_t offset,
                             std::span<const std::byte> bytes) {
  const StoredTensor& stored = index_.tensors[tensor];
  Progress& progress = progress_[tensor];
  while (!bytes.empty()) {
    const std::size_t chunk = offset / kChunk;
    const std::uint64_t chunk_bytes = progress.checksum.chunk_bytes(chunk);
    const std::uint64_t in_chunk = offset - chunk * kChunk;
    const auto part = bytes.first(std::min<std::size_t>(bytes.size(), chunk_bytes - in_chunk));
    const auto part_bytes = static_cast<std::int64_t>(part.size());
    const std::int64_t missing = progress.missing[chunk].fetch_sub(part_bytes) - part_bytes;
    if (missing < 0) {
      throw std::logic_error(
          fmt::format("tensor '{}': bytes near {} are written twice", stored.spec.name, offset));
    }
    if (part.size() == chunk_bytes) {
      progress.checksum.set(chunk, part);
    } else if (missing == 0) {
      // Came in several pieces, perhaps from several threads: the last one reads it back.
      std::vector<std::byte> whole(chunk_bytes);
      file_->read(stored.offset + chunk * kChunk, whole);
      progress.checksum.set(chunk, whole);
    }
    offset += part.size();
    bytes = bytes.subspan(part.size());
  }
}

std::string ContainerWriter::finish() {
  for (std::size_t i = 0; i < index_.tensors.size(); ++i) {
    const Progress& progress = progress_[i];
    for (std::size_t chunk = 0; chunk < progress.checksum.n_chunks(); ++chunk) {
      if (progress.missing[chunk] == 0) continue;
      throw std::logic_error(fmt::format("tensor '{}': {} bytes from byte {} on were never written",
                                         index_.tensors[i].spec.name,
                                         progress.missing[chunk].load(), chunk * kChunk));
    }
    index_.tensors[i].checksum = progress.checksum.value();
  }
  file_->resize(index_offset_);
  write_index(kContainer, *file_, index_offset_, to_json(index_));
  file_->commit();
  journal_->finish();
  return fingerprint(index_);
}

}  // namespace leyden::formats
