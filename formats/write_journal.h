#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "formats/checksum.h"
#include "formats/output_file.h"

namespace leyden::formats {

/// A piece of a tensor that has been written.
struct WrittenPiece {
  std::uint64_t tensor = 0;  // its number in the list of tensors
  std::uint64_t offset = 0;  // in the tensor
  std::uint64_t bytes = 0;
  std::uint64_t file_offset = 0;  // of the stored bytes
  std::uint64_t stored_bytes = 0;
  Checksum checksum;  // of the stored bytes
};

/// One of the things that a file is made from.
struct Ingredient {
  std::string name;      // for people: "recipe"; empty for what needn't be named
  std::string identity;  // a text that tells it from others
};

/// What of a large file has been written, kept beside it until it is complete, so that an
/// interrupted writer can go on. A side file of 64 bytes per piece behind a header of 64: magic,
/// XXH3-128 of all ingredients, 32 bits of each. Entries are promises that may be broken: a power
/// failure can leave an entry whose data never reached the disk, so whoever reads them back
/// compares checksums. Threads may add at once.
class WriteJournal {
 public:
  /// Opens the journal at `path`. With kKeep, if there is one of the same ingredients (at most
  /// kMostIngredients), its entries become recovered(); for anything else found there, and without
  /// kKeep, it starts empty. Room for n_pieces entries is reserved where the file system can.
  /// Errors: WriteError; with kKeep also for a journal of other ingredients that has entries, which
  ///         names those that differ and changes nothing.
  WriteJournal(const std::filesystem::path& path, std::span<const Ingredient> ingredients,
               Unfinished unfinished, std::uint64_t n_pieces = 0);
  /// Removes the file unless it is to be kept.
  ~WriteJournal();
  WriteJournal(const WriteJournal&) = delete;
  WriteJournal& operator=(const WriteJournal&) = delete;

  static constexpr std::size_t kMostIngredients = 10;

  const std::vector<WrittenPiece>& recovered() const { return recovered_; }

  /// Appends an entry; survives the process. Errors: WriteError.
  void add(const WrittenPiece& piece);
  /// Makes all entries survive the machine. Sync the data they speak of first. Errors: WriteError.
  void sync();
  /// What it speaks of is complete: the file goes in any case.
  void finish() { unfinished_ = Unfinished::kDiscard; }

 private:
  void recover(std::span<const Ingredient> ingredients);
  void start(std::span<const Ingredient> ingredients);
  void reserve(std::uint64_t n_pieces);
  /// Unless it was removed, and what has its name now is another's.
  void remove() const;

  std::filesystem::path path_;
  Unfinished unfinished_;
  int descriptor_ = -1;
  bool was_named_ = false;  // path_, when opened
  std::vector<WrittenPiece> recovered_;
};

}  // namespace leyden::formats
