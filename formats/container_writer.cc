#include "formats/container_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "formats/compression.h"

namespace leyden::formats {
namespace {

constexpr std::uint64_t kChunk = ChunkedChecksum::kChunkBytes;
/// What a failing machine may cost at most.
constexpr std::uint64_t kSyncEvery = std::uint64_t{1} << 30;

std::uint64_t aligned(std::uint64_t offset, std::uint64_t alignment) {
  return (offset + alignment - 1) / alignment * alignment;
}

/// zstd's level: higher ones gain nothing on numbers that look like noise.
constexpr int kLevel = 1;

/// Places blobs, then, unless they come as frames, small and large tensors one after the other;
/// gives the end.
std::uint64_t place_parts(ContainerIndex& index, bool compressed) {
  std::uint64_t end = kFileHeaderBytes;
  const auto place = [&end](std::uint64_t& offset, std::uint64_t bytes, std::uint64_t alignment) {
    offset = aligned(end, alignment);
    end = offset + bytes;
  };
  for (StoredBlob& blob : index.blobs) place(blob.offset, blob.bytes, kSmallAlignment);
  if (compressed) return end;
  for (const std::uint64_t alignment : {kSmallAlignment, kLargeAlignment}) {
    for (StoredTensor& tensor : index.tensors) {
      if (alignment_of(tensor.bytes) == alignment) place(tensor.offset, tensor.bytes, alignment);
    }
  }
  return aligned(end, kSmallAlignment);
}

}  // namespace

ContainerWriter::Progress::Progress(std::uint64_t bytes) : checksum(bytes) {
  for (std::size_t i = 0; i < checksum.n_chunks(); ++i) {
    missing.push_back(static_cast<std::int64_t>(checksum.chunk_bytes(i)));
  }
}

ContainerWriter::ContainerWriter(const std::filesystem::path& path, std::string recipe,
                                 const std::vector<Blob>& blobs,
                                 const std::vector<quant::TensorSpec>& tensors,
                                 const WriterOptions& options)
    : compressed_(options.compressed) {
  index_.recipe = std::move(recipe);
  for (const Blob& blob : blobs) {
    index_.blobs.push_back({blob.name, 0, blob.bytes.size(), checksum(blob.bytes)});
  }
  for (const quant::TensorSpec& spec : tensors) {
    index_.tensors.push_back({spec, 0, spec.bytes(), {}, {}});
    progress_.emplace_back(index_.tensors.back().bytes);
  }
  end_ = place_parts(index_, compressed_);
  const Checksum identity =
      checksum(options.source + (compressed_ ? "\nzstd\n" : "\n") + to_json(index_));
  file_.emplace(path, end_, 0644, options.unfinished);
  journal_.emplace(path.string() + ".partial.journal", identity, options.unfinished);
  if (recovered().empty()) file_->clear(end_);
  for (const WrittenPiece& piece : recovered()) {
    if (compressed_) end_ = std::max(end_, piece.file_offset + piece.stored_bytes);
  }
  for (std::size_t i = 0; i < blobs.size(); ++i) {
    file_->write(index_.blobs[i].offset, std::as_bytes(std::span(blobs[i].bytes)));
  }
}

bool ContainerWriter::adopt(const WrittenPiece& piece, std::span<std::byte> bytes) {
  if (piece.tensor >= index_.tensors.size() || piece.bytes != bytes.size()) return false;
  const StoredTensor& stored = index_.tensors[piece.tensor];
  if (piece.offset > stored.bytes || piece.bytes > stored.bytes - piece.offset) return false;
  try {
    if (compressed_) {
      if (!read_frame(piece, bytes)) return false;
    } else {
      file_->read(stored.offset + piece.offset, bytes);
      if (checksum(bytes) != piece.checksum) return false;
    }
  } catch (const WriteError&) {
    return false;
  }
  record(piece.tensor, piece.offset, bytes);
  if (compressed_) add_frame(piece);
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
  const WrittenPiece piece =
      compressed_ ? write_frame(tensor, offset, bytes) : write_plain(tensor, offset, bytes);
  record(tensor, offset, bytes);
  if (compressed_) add_frame(piece);
  journal_->add(piece);
  sync_now_and_then(piece.stored_bytes);
}

WrittenPiece ContainerWriter::write_plain(std::size_t tensor, std::uint64_t offset,
                                          std::span<const std::byte> bytes) {
  const std::uint64_t place = index_.tensors[tensor].offset + offset;
  file_->write(place, bytes);
  return {tensor, offset, bytes.size(), place, bytes.size(), checksum(bytes)};
}

WrittenPiece ContainerWriter::write_frame(std::size_t tensor, std::uint64_t offset,
                                          std::span<const std::byte> bytes) {
  Compressor compressor(kLevel);
  const auto frame = compressor.compress(bytes);
  std::uint64_t place = 0;
  {
    const std::lock_guard lock(mutex_);
    place = std::exchange(end_, end_ + frame.size());
  }
  file_->write(place, frame);
  return {tensor, offset, bytes.size(), place, frame.size(), checksum(frame)};
}

bool ContainerWriter::read_frame(const WrittenPiece& piece, std::span<std::byte> bytes) {
  if (piece.stored_bytes > Decompressor::bound(piece.bytes)) return false;
  std::vector<std::byte> frame(piece.stored_bytes);
  file_->read(piece.file_offset, frame);
  return checksum(frame) == piece.checksum && Decompressor().decompress(frame, bytes);
}

void ContainerWriter::add_frame(const WrittenPiece& piece) {
  const std::lock_guard lock(mutex_);
  progress_[piece.tensor].frames[piece.offset] = {piece.bytes, piece.file_offset,
                                                  piece.stored_bytes};
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
    std::vector<std::byte> whole;  // if this completes a chunk that came in several pieces
    {
      const std::lock_guard lock(mutex_);
      const std::int64_t missing = progress.missing[chunk] -= part_bytes;
      if (missing < 0) {
        throw std::logic_error(
            fmt::format("tensor '{}': bytes near {} are written twice", stored.spec.name, offset));
      }
      if (part.size() < chunk_bytes) {
        std::vector<std::byte>& begun = progress.begun[chunk];
        begun.resize(chunk_bytes);
        std::copy(part.begin(), part.end(), begun.begin() + static_cast<std::ptrdiff_t>(in_chunk));
        if (missing == 0) {
          whole = std::move(begun);
          progress.begun.erase(chunk);
        }
      }
    }
    if (part.size() == chunk_bytes) progress.checksum.set(chunk, part);
    if (!whole.empty()) progress.checksum.set(chunk, whole);
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
                                         index_.tensors[i].spec.name, progress.missing[chunk],
                                         chunk * kChunk));
    }
    index_.tensors[i].checksum = progress.checksum.value();
    for (const auto& [offset, frame] : progress.frames) {
      index_.tensors[i].frames.push_back(frame);
    }
  }
  const std::uint64_t index_offset = aligned(end_, kSmallAlignment);
  file_->resize(index_offset);
  write_index(kContainer, *file_, index_offset, to_json(index_));
  file_->commit();
  journal_->finish();
  return fingerprint(index_);
}

}  // namespace leyden::formats
