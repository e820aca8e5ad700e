#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "formats/container_index.h"
#include "formats/frame_order.h"
#include "formats/output_file.h"
#include "formats/write_journal.h"

namespace leyden::formats {

/// A small file to be kept in a container.
struct Blob {
  std::string name;
  std::string bytes;
};

/// How a container is written.
struct WriterOptions {
  Unfinished unfinished = Unfinished::kDiscard;  // kKeep: go on with what an interrupted one wrote
  bool compressed = false;                       // every piece becomes a zstd frame
  std::vector<Ingredient> source = {};           // of the tensors: only the same are gone on with
  std::uint64_t n_pieces = 0;  // that will be written, if known; their journal is reserved
};

/// Writes a leyden container. All tensors are named beforehand, so every byte has its place from
/// the start, and pieces of any tensor may be written in any order from any thread. Compressed
/// pieces lie in the order of their numbers, so that the file is the same whoever was first.
/// The file appears under its name only when finish() succeeds. What is written before that is
/// recorded in PATH.partial.journal, so that another writer can go on after any interruption; after
/// an error nothing is left behind unless that is asked for.
class ContainerWriter {
 public:
  /// Reserves what the file and its journal need to the end, unless it is compressed.
  /// Errors: WriteError as OutputFile's and WriteJournal's; what TensorSpec::bytes() throws for
  ///         shapes that can't be packed.
  ContainerWriter(const std::filesystem::path& path, std::string recipe,
                  const std::vector<Blob>& blobs, const std::vector<quant::TensorSpec>& tensors,
                  const WriterOptions& options = {});

  /// The layout decided on. Checksums of tensors become valid in finish().
  const ContainerIndex& index() const { return index_; }

  /// The pieces that an interrupted writer of the same container says it wrote.
  const std::vector<WrittenPiece>& recovered() const { return journal_->recovered(); }
  /// Reads such a piece back. True, with its bytes in `bytes`, if it has as many and they are as
  /// they were written: it needn't be written again. False otherwise, also if the file can't be
  /// read there. Threads may adopt different pieces at once. number: as for write().
  bool adopt(const WrittenPiece& piece, std::span<std::byte> bytes, std::uint64_t number = 0);

  /// Writes `bytes` at `offset` within tensor number `tensor` of the list given. Every byte of a
  /// tensor is written exactly once.
  /// number: of the piece among all, if they are compressed: each from 0 on comes once.
  /// Errors: WriteError; std::logic_error for a piece outside the tensor or written twice.
  void write(std::size_t tensor, std::uint64_t offset, std::span<const std::byte> bytes,
             std::uint64_t number = 0);

  /// Writes index and header, syncs and names the file. To be called once, by one thread, when all
  /// pieces are written. Gives the container's fingerprint.
  /// Errors: WriteError; std::logic_error naming a tensor with missing bytes.
  std::string finish();

 private:
  /// What is known of a chunk of 1 MiB while pieces arrive.
  struct Chunk {
    std::uint64_t unclaimed, missing;  // bytes that no piece has brought, or has finished bringing
    std::unique_ptr<std::byte[]> begun;  // if it comes in several pieces
  };
  struct Progress {
    explicit Progress(std::uint64_t bytes);
    ChunkedChecksum checksum;
    std::vector<Chunk> chunks;
    std::map<std::uint64_t, StoredFrame> frames;  // by their offset in the tensor
  };

  void write_plain(std::size_t tensor, std::uint64_t offset, std::span<const std::byte> bytes);
  void write_frame(std::size_t tensor, std::uint64_t offset, std::span<const std::byte> bytes,
                   std::uint64_t number);
  void place_frame(std::uint64_t number, Frame frame);
  bool read_frame(const WrittenPiece& piece, std::span<std::byte> bytes, std::uint64_t number);
  void record(std::size_t tensor, std::uint64_t offset, std::span<const std::byte> bytes);
  void record_part(std::size_t tensor, std::uint64_t offset, std::span<const std::byte> part);
  void add_to_journal(const WrittenPiece& piece);

  ContainerIndex index_;
  bool compressed_;
  std::uint64_t end_ = 0;            // of the parts placed, without frames
  std::vector<Progress> progress_;   // parallel to index_.tensors
  std::mutex mutex_;                 // for what is in Progress
  std::optional<FrameOrder> order_;  // if compressed
  std::optional<OutputFile> file_;
  std::optional<WriteJournal> journal_;
  std::atomic<std::uint64_t> written_ = 0;
};

}  // namespace leyden::formats
