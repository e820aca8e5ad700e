#include "formats/write_journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
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
  std::array<std::uint32_t, WriteJournal::kMostIngredients> ingredients{};  // 0: none, or unknown

  Header() = default;
  explicit Header(std::span<const Ingredient> list) {
    std::string all;
    for (std::size_t i = 0; i < list.size(); ++i) {
      all += list[i].name + "\n" + list[i].identity + "\n";
      ingredients.at(i) = static_cast<std::uint32_t>(checksum(list[i].identity).low) | 1;
    }
    identity = checksum(all);
  }
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

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& action) {
  throw WriteError(path.string(), fmt::format("can't {}: {}", action, std::strerror(errno)));
}

[[noreturn]] void refuse_other(const std::filesystem::path& path, const Header& found,
                               const Header& expected, std::span<const Ingredient> ingredients) {
  std::vector<std::string> differing;
  for (std::size_t i = 0; i < ingredients.size(); ++i) {
    const bool is_known = found.ingredients[i] != 0 && !ingredients[i].name.empty();
    if (is_known && found.ingredients[i] != expected.ingredients[i]) {
      differing.push_back(ingredients[i].name);
    }
  }
  if (differing.empty()) differing = {"other options or the version of leyden"};
  throw WriteError(
      path.string(),
      fmt::format(
          "belongs to a conversion that differs in: {}. Nothing was changed. Go on with the "
          "same options, or begin anew without --resume or by removing this file",
          fmt::join(differing, ", ")));
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

WriteJournal::WriteJournal(const std::filesystem::path& path,
                           std::span<const Ingredient> ingredients, Unfinished unfinished,
                           std::uint64_t n_pieces)
    : path_(path), unfinished_(unfinished) {
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail(path_, "create");
  was_named_ = is_named(descriptor_, path_);
  bool is_begun = false;
  try {
    if (unfinished == Unfinished::kKeep) recover(ingredients);
    if (recovered_.empty()) {
      is_begun = true;
      start(ingredients);
    }
    reserve(n_pieces);
  } catch (...) {
    if (is_begun) remove();
    ::close(descriptor_);
    throw;
  }
}

WriteJournal::~WriteJournal() {
  if (unfinished_ == Unfinished::kDiscard) remove();
  ::close(descriptor_);
}

void WriteJournal::remove() const {
  if (!was_named_ || is_named(descriptor_, path_)) ::unlink(path_.c_str());
}

void WriteJournal::recover(std::span<const Ingredient> ingredients) {
  const Header expected(ingredients);
  Header header;
  if (::pread(descriptor_, &header, sizeof header, 0) != sizeof header ||
      header.magic != expected.magic) {
    return;
  }
  Entry entry;
  off_t end = sizeof header;
  while (::pread(descriptor_, &entry, sizeof entry, end) == sizeof entry) {
    if (entry.check != Entry::check_of(entry.piece)) break;
    if (header.identity != expected.identity) refuse_other(path_, header, expected, ingredients);
    recovered_.push_back(entry.piece);
    end += static_cast<off_t>(sizeof entry);
  }
  // What follows is torn; new entries must stand where the next reader looks for them.
  if (::ftruncate(descriptor_, end) != 0) fail(path_, "shorten");
}

void WriteJournal::start(std::span<const Ingredient> ingredients) {
  if (::ftruncate(descriptor_, 0) != 0) fail(path_, "empty");
  const Header header(ingredients);
  append(descriptor_, &header, sizeof header, path_);
}

void WriteJournal::reserve(std::uint64_t n_pieces) {
  const std::uint64_t bytes = sizeof(Header) + n_pieces * sizeof(Entry);
  if (::fallocate(descriptor_, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes)) == 0) return;
  if (errno == EOPNOTSUPP || errno == ENOSYS) return;  // a full disk shows up while writing
  fail(path_, fmt::format("reserve {} bytes", bytes));
}

void WriteJournal::add(const WrittenPiece& piece) {
  const Entry entry(piece);
  append(descriptor_, &entry, sizeof entry, path_);
}

void WriteJournal::sync() {
  if (::fdatasync(descriptor_) != 0) fail(path_, "write to disk");
}

}  // namespace leyden::formats
