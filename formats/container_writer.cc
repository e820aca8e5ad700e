#include "formats/container_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <system_error>
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
    chunks.push_back({checksum.chunk_bytes(i), checksum.chunk_bytes(i), nullptr});
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
  const std::string form =
      compressed_ ? fmt::format("zstd {} {}", kLevel, Compressor::version()) : "plain";
  const std::string json = to_json(index_);
  std::vector<Ingredient> ingredients = options.source;
  ingredients.insert(ingredients.end(), {{"compression", form}, {"", json}});
  file_.emplace(path, 0, 0644, options.unfinished);
  const std::filesystem::path journal = file_->partial().string() + ".journal";
  std::error_code ignored;
  if (!file_->has_kept()) std::filesystem::remove(journal, ignored);  // it speaks of nothing
  journal_.emplace(journal, ingredients, options.unfinished, options.n_pieces);
  if (file_->has_kept() && recovered().empty()) file_->resize(0);
  try {
    // Checksums are of one length, so the index of a plain container has its final size already.
    file_->reserve(compressed_ ? end_ : end_ + json.size());
  } catch (...) {
    if (recovered().empty()) journal_->finish();
    throw;
  }
  if (compressed_) order_.emplace(end_);
  for (std::size_t i = 0; i < blobs.size(); ++i) {
    file_->write(index_.blobs[i].offset, std::as_bytes(std::span(blobs[i].bytes)));
  }
}

bool ContainerWriter::adopt(const WrittenPiece& piece, std::span<std::byte> bytes,
                            std::uint64_t number) {
  if (piece.tensor >= index_.tensors.size() || piece.bytes != bytes.size()) return false;
  const StoredTensor& stored = index_.tensors[piece.tensor];
  if (piece.offset > stored.bytes || piece.bytes > stored.bytes - piece.offset) return false;
  if (compressed_) return read_frame(piece, bytes, number);
  try {
    file_->read(stored.offset + piece.offset, bytes);
  } catch (const WriteError&) {
    return false;
  }
  if (checksum(bytes) != piece.checksum) return false;
  record(piece.tensor, piece.offset, bytes);
  return true;
}

void ContainerWriter::add_to_journal(const WrittenPiece& piece) {
  journal_->add(piece);
  // Whoever crosses a multiple syncs, and the others go on writing.
  const std::uint64_t before = written_.fetch_add(piece.stored_bytes);
  if (before / kSyncEvery == (before + piece.stored_bytes) / kSyncEvery) return;
  file_->sync();
  journal_->sync();
}

void ContainerWriter::write(std::size_t tensor, std::uint64_t offset,
                            std::span<const std::byte> bytes, std::uint64_t number) {
  const StoredTensor& stored = index_.tensors.at(tensor);
  if (offset > stored.bytes || bytes.size() > stored.bytes - offset) {
    throw std::logic_error(fmt::format("tensor '{}': {} bytes at byte {} don't fit into {}",
                                       stored.spec.name, bytes.size(), offset, stored.bytes));
  }
  record(tensor, offset, bytes);
  if (compressed_) {
    write_frame(tensor, offset, bytes, number);
  } else {
    write_plain(tensor, offset, bytes);
  }
}

void ContainerWriter::write_plain(std::size_t tensor, std::uint64_t offset,
                                  std::span<const std::byte> bytes) {
  const std::uint64_t place = index_.tensors[tensor].offset + offset;
  file_->write(place, bytes);
  add_to_journal({tensor, offset, bytes.size(), place, bytes.size(), checksum(bytes)});
}

void ContainerWriter::write_frame(std::size_t tensor, std::uint64_t offset,
                                  std::span<const std::byte> bytes, std::uint64_t number) {
  Compressor compressor(kLevel);
  const auto content = compressor.compress(bytes);
  place_frame(number, {{tensor, offset, bytes.size(), 0, content.size(), checksum(content)},
                       {content.begin(), content.end()}});
}

void ContainerWriter::place_frame(std::uint64_t number, Frame frame) {
  for (const Frame& placed : order_->place(number, std::move(frame))) {
    const WrittenPiece& piece = placed.piece;
    if (!placed.is_in_place) {
      file_->write(piece.file_offset, placed.content);
      add_to_journal(piece);
    }
    const std::lock_guard lock(mutex_);
    progress_[piece.tensor].frames[piece.offset] = {piece.bytes, piece.file_offset,
                                                    piece.stored_bytes};
  }
}

bool ContainerWriter::read_frame(const WrittenPiece& piece, std::span<std::byte> bytes,
                                 std::uint64_t number) {
  if (piece.stored_bytes > Decompressor::bound(piece.bytes)) return false;
  std::vector<std::byte> content(piece.stored_bytes);
  try {
    file_->read(piece.file_offset, content);
  } catch (const WriteError&) {
    return false;
  }
  if (checksum(content) != piece.checksum || !Decompressor().decompress(content, bytes)) {
    return false;
  }
  record(piece.tensor, piece.offset, bytes);
  place_frame(number, {piece, std::move(content)});
  return true;
}

void ContainerWriter::record(std::size_t tensor, std::uint64_t offset,
                             std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const std::uint64_t room = kChunk - offset % kChunk;
    const auto part = bytes.first(std::min<std::size_t>(bytes.size(), room));
    record_part(tensor, offset, part);
    offset += part.size();
    bytes = bytes.subspan(part.size());
  }
}

/// A part of one chunk. What is long (copying, hashing) is done without the lock.
void ContainerWriter::record_part(std::size_t tensor, std::uint64_t offset,
                                  std::span<const std::byte> part) {
  Progress& progress = progress_[tensor];
  const std::size_t number = offset / kChunk;
  Chunk& chunk = progress.chunks[number];
  const std::uint64_t chunk_bytes = progress.checksum.chunk_bytes(number);
  const bool is_whole = part.size() == chunk_bytes;
  {
    const std::lock_guard lock(mutex_);
    if (part.size() > chunk.unclaimed) {
      throw std::logic_error(fmt::format("tensor '{}': bytes near {} are written twice",
                                         index_.tensors[tensor].spec.name, offset));
    }
    chunk.unclaimed -= part.size();
    if (!is_whole && !chunk.begun) {
      chunk.begun = std::make_unique_for_overwrite<std::byte[]>(chunk_bytes);
    }
  }
  if (is_whole) {
    progress.checksum.set(number, part);
  } else {
    std::copy(part.begin(), part.end(), chunk.begun.get() + offset % kChunk);
  }
  std::unique_ptr<std::byte[]> complete;
  {
    const std::lock_guard lock(mutex_);
    chunk.missing -= part.size();
    if (chunk.missing == 0) complete = std::move(chunk.begun);
  }
  if (complete) progress.checksum.set(number, {complete.get(), chunk_bytes});
}

std::string ContainerWriter::finish() {
  for (std::size_t i = 0; i < index_.tensors.size(); ++i) {
    const Progress& progress = progress_[i];
    for (std::size_t chunk = 0; chunk < progress.chunks.size(); ++chunk) {
      if (progress.chunks[chunk].missing == 0) continue;
      throw std::logic_error(fmt::format("tensor '{}': {} bytes from byte {} on were never written",
                                         index_.tensors[i].spec.name,
                                         progress.chunks[chunk].missing, chunk * kChunk));
    }
    index_.tensors[i].checksum = progress.checksum.value();
    for (const auto& [offset, frame] : progress.frames) {
      index_.tensors[i].frames.push_back(frame);
    }
  }
  if (compressed_ && order_->n_waiting() > 0) {
    throw std::logic_error("the numbers of compressed pieces have a gap");
  }
  const std::uint64_t index_offset = aligned(compressed_ ? order_->end() : end_, kSmallAlignment);
  const std::string json = to_json(index_);
  file_->resize(index_offset + json.size());
  write_index(kContainer, *file_, index_offset, json);
  file_->commit();
  journal_->finish();
  return fingerprint(index_);
}

}  // namespace leyden::formats
