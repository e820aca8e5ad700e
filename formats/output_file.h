#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>

namespace leyden::formats {

/// A file that can't be written: "FILE: WHAT".
class WriteError : public std::runtime_error {
 public:
  WriteError(const std::string& file, const std::string& what)
      : std::runtime_error(file + ": " + what) {}
};

/// What becomes of a PATH.partial that an interrupted writer left or this one leaves.
enum class Unfinished {
  kDiscard,  // begin anew; without commit() nothing is left behind
  kKeep,     // keep what is there; without commit() it stays, unless it is empty
};

/// Where a file of that name lies or would lie: what links lead to, there or not. A link of the
/// proc file system, as /dev/stdout leads to one, is an open file's only name and is left as it is.
/// Errors: WriteError if the name is empty or links lead in a circle.
std::filesystem::path place_of(const std::filesystem::path& path);

/// Whether what is open is what has that name now. False for every file of a file system whose
/// inode numbers mean nothing.
bool is_named(int descriptor, const std::filesystem::path& path);

/// A file that comes into being whole or not at all: it grows as PATH.partial, and commit() makes
/// it durable and gives it its name. PATH is place_of() the given name. Any number of threads may
/// write and read different parts at once.
class OutputFile {
 public:
  /// Creates PATH.partial with `size` bytes, zero where nothing was kept, reserving the space where
  /// the file system can (on tmpfs, making sure that it is there). It may grow. mode: who may read
  /// it, as open(2) takes it.
  /// Errors: WriteError as place_of()'s, if the place can't be written, is something else than a
  ///         file, hasn't the space, can't be locked, or if another process is writing the same
  ///         file, which shows where the file system knows locks.
  OutputFile(const std::filesystem::path& path, std::uint64_t size, unsigned mode = 0644,
             Unfinished unfinished = Unfinished::kDiscard);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Errors: WriteError, a full disk among them.
  void write(std::uint64_t offset, std::span<const std::byte> bytes);
  /// Reads back what was written. Errors: WriteError.
  void read(std::uint64_t offset, std::span<std::byte> bytes) const;

  const std::filesystem::path& partial() const { return partial_; }
  /// Whether PATH.partial was there already and was kept.
  bool has_kept() const { return has_kept_; }

  /// Makes it at least `size` bytes long, with room for them as the constructor does.
  /// Errors: WriteError; it is then as long as before.
  void reserve(std::uint64_t size);
  /// Cuts or fills up with zeros to that size. Errors: WriteError.
  void resize(std::uint64_t size);
  /// Makes what was written survive the machine. Errors: WriteError, also if somebody removed or
  /// replaced PATH.partial, for then that is in vain.
  void sync();

  /// Syncs the data, renames PATH.partial to PATH and, where the file system can, syncs the
  /// directory. To be called once.
  /// Errors: WriteError, also as sync()'s; PATH is then as it was before, unless only the last sync
  ///         failed. If the name can't be given, PATH.partial stays.
  void commit();

 private:
  /// False, with errno, if there is no room.
  bool try_reserve(std::uint64_t size);
  bool lost_name() const { return was_named_ && !is_named(descriptor_, partial_); }
  /// Errors: WriteError.
  void require_name() const;
  [[noreturn]] void fail(const std::string& action) const;

  std::filesystem::path path_;
  std::filesystem::path partial_;
  int descriptor_ = -1;
  bool was_named_ = false;  // PATH.partial, when opened
  bool has_kept_ = false;
  bool stays_ = false;  // PATH.partial, or it has its name already
};

/// Refuses an output that would replace something it is made from: PATH or PATH.partial leads to
/// one of the files, by whatever path or link, or would if both were there. Refuses too what would
/// be taken for weights beside theirs: a *.safetensors in the directory of one of the files that is
/// called so and is there.
/// Errors: WriteError, also as place_of()'s.
void spare_inputs(const std::filesystem::path& path, std::span<const std::filesystem::path> inputs);

/// Whether OutputFile could be had at `path` now, for asking before hours of work. Leaves nothing
/// behind, and a PATH.partial that is there as it is. Errors: WriteError as its constructor's.
void check_writable(const std::filesystem::path& path);

}  // namespace leyden::formats
