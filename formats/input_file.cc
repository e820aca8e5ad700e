#include "formats/input_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "formats/load_error.h"

namespace leyden::formats {

namespace {

/// The size of an open regular file. Errors: LoadError for anything else.
std::uint64_t checked_size(int descriptor, const std::string& name) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) {
    throw LoadError(name, fmt::format("can't read: {}", std::strerror(errno)));
  }
  if (S_ISDIR(status.st_mode)) throw LoadError(name, "is a directory, expected a file");
  if (!S_ISREG(status.st_mode)) throw LoadError(name, "is not a regular file");
  if (status.st_size == 0) throw LoadError(name, "is empty");
  return static_cast<std::uint64_t>(status.st_size);
}

std::int64_t nanoseconds(const struct timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

FileState file_state(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {true, static_cast<std::uint64_t>(status.st_size), nanoseconds(status.st_mtim),
          nanoseconds(status.st_ctim)};
}

InputFile::InputFile(const std::filesystem::path& path) : name_(path.string()) {
  // O_NONBLOCK: opening a named pipe must end in a sentence, not wait for a writer.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) throw LoadError(name_, fmt::format("can't open: {}", std::strerror(errno)));
  try {
    size_ = checked_size(descriptor_, name_);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

InputFile::InputFile(InputFile&& other) noexcept
    : name_(std::move(other.name_)),
      size_(other.size_),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

InputFile::~InputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void InputFile::read_exact(std::uint64_t offset, std::span<std::byte> to) const {
  if (offset > size_ || to.size() > size_ - offset) {
    throw LoadError(name_, fmt::format("byte {} to {} is beyond the end at byte {}", offset,
                                       offset + to.size(), size_));
  }
  while (!to.empty()) {
    const ssize_t n = ::pread(descriptor_, to.data(), to.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      throw LoadError(name_,
                      fmt::format("can't read at byte {}: {}", offset, std::strerror(errno)));
    }
    if (n == 0) {
      throw LoadError(name_, fmt::format("ends at byte {}, but had {} bytes when it was opened",
                                         offset, size_));
    }
    offset += static_cast<std::uint64_t>(n);
    to = to.subspan(static_cast<std::size_t>(n));
  }
}

}  // namespace leyden::formats
