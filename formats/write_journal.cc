#include "formats/write_journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>

namespace leyden::formats {
namespace {

struct Header {
  std::array<char, 8> magic{'\x89', 'L', 'E', 'Y', 'J', 'R', 'N', '\n'};
  Checksum identity;
  std::array<char, 40> zeros{};

  bool operator==(const Header&) const = default;
};

struct Entry {
  WrittenPiece piece;
  std::uint64_t check = 0;  // of the piece

  explicit Entry(const WrittenPiece& p) : piece(p), check(check_of(p)) {}
  Entry() = default;

  static std::uint64_t check_of(const WrittenPiece& piece) {
    return checksum(std::as_bytes(std::span(&piece, 1))).low;
  }
};
static_assert(sizeof(Header) == 64 && sizeof(Entry) == 64);

[[noreturn]] void fail(const std::filesystem::path& path, const char* action) {
  throw WriteError(path.string(), fmt::format("can't {}: {}", action, std::strerror(errno)));
}

/// One write, so that a killed process leaves a whole entry or none.
void append(int descriptor, const void* data, std::size_t bytes,
            const std::filesystem::path& path) {
  while (true) {
    const ssize_t n = ::write(descriptor, data, bytes);
    if (n == static_cast<ssize_t>(bytes)) return;
    if (n < 0 && errno == EINTR) continue;
    if (n >= 0) errno = ENOSPC;
    fail(path, "write");
  }
}

}  // namespace

WriteJournal::WriteJournal(const std::filesystem::path& path, const Checksum& identity,
                           Unfinished unfinished)
    : path_(path), unfinished_(unfinished) {
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail(path_, "create");
  try {
    if (unfinished == Unfinished::kKeep) recover(identity);
    if (recovered_.empty()) start(identity);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

WriteJournal::~WriteJournal() {
  ::close(descriptor_);
  if (unfinished_ == Unfinished::kDiscard) ::unlink(path_.c_str());
}

void WriteJournal::recover(const Checksum& identity) {
  Header expected, header;
  expected.identity = identity;
  if (::pread(descriptor_, &header, sizeof header, 0) != sizeof header || header != expected) {
    return;
  }
  Entry entry;
  off_t end = sizeof header;
  while (::pread(descriptor_, &entry, sizeof entry, end) == sizeof entry) {
    if (entry.check != Entry::check_of(entry.piece)) break;
    recovered_.push_back(entry.piece);
    end += static_cast<off_t>(sizeof entry);
  }
  // What follows is torn; new entries must stand where the next reader looks for them.
  if (::ftruncate(descriptor_, end) != 0) fail(path_, "shorten");
}

void WriteJournal::start(const Checksum& identity) {
  if (::ftruncate(descriptor_, 0) != 0) fail(path_, "empty");
  Header header;
  header.identity = identity;
  append(descriptor_, &header, sizeof header, path_);
}

void WriteJournal::add(const WrittenPiece& piece) {
  const Entry entry(piece);
  append(descriptor_, &entry, sizeof entry, path_);
}

void WriteJournal::sync() {
  if (::fdatasync(descriptor_) != 0) fail(path_, "write to disk");
}

}  // namespace leyden::formats
