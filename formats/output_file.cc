#include "formats/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace leyden::formats {
namespace {

bool leads_to_same(const std::filesystem::path& a, const std::filesystem::path& b) {
  std::error_code missing;
  if (std::filesystem::equivalent(a, b, missing)) return true;
  std::error_code no_a, no_b;
  const auto at_a = std::filesystem::weakly_canonical(std::filesystem::absolute(a, no_a), no_a);
  const auto at_b = std::filesystem::weakly_canonical(std::filesystem::absolute(b, no_b), no_b);
  return !no_a && !no_b && at_a == at_b;
}

/// What a link of the proc file system leads to, such as /proc/self/fd/1, is no name of a file.
bool is_in_proc(const std::filesystem::path& path) {
  struct statfs system {};
  const std::filesystem::path parent = path.has_parent_path() ? path.parent_path() : ".";
  return ::statfs(parent.c_str(), &system) == 0 && system.f_type == PROC_SUPER_MAGIC;
}

/// Whether flock() fails so on a file system without locks: Lustre without -o flock, NFS without
/// lockd.
bool means_no_locks(int error) { return error == ENOSYS || error == EOPNOTSUPP || error == ENOLCK; }

/// Whether fsync() fails so on a directory that its file system doesn't sync, as some network file
/// systems don't.
bool means_no_sync(int error) { return error == EINVAL || error == EBADF || error == EOPNOTSUPP; }

/// Opens PATH.partial and locks it, where the file system knows locks, so that two writers of one
/// file don't mix.
int open_locked(const std::filesystem::path& partial, const std::string& name, unsigned mode) {
  constexpr int kTries = 100;  // then it is a file system whose inode numbers mean nothing
  for (int n = 1;; ++n) {
    constexpr int kFlags = O_RDWR | O_CREAT | O_CLOEXEC;
    int descriptor = ::open(partial.c_str(), kFlags | O_EXCL, mode);
    const bool is_new = descriptor >= 0;
    if (!is_new && errno == EEXIST) descriptor = ::open(partial.c_str(), kFlags, mode);
    if (descriptor < 0) {
      throw WriteError(name,
                       fmt::format("can't create {}: {}", partial.string(), std::strerror(errno)));
    }
    const int problem = ::flock(descriptor, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    if (problem != 0 && !means_no_locks(problem)) {
      const bool is_others = problem == EWOULDBLOCK;
      if (is_new && !is_others) ::unlink(partial.c_str());
      ::close(descriptor);
      throw WriteError(name, is_others ? "is being written by another process"
                                       : fmt::format("can't lock {}: {}", partial.string(),
                                                     std::strerror(problem)));
    }
    // Another writer may have finished between the two calls: then this is the finished file.
    if (is_named(descriptor, partial) || n == kTries) return descriptor;
    ::close(descriptor);
  }
}

}  // namespace

bool is_named(int descriptor, const std::filesystem::path& path) {
  struct stat opened {
  }, found{};
  return ::fstat(descriptor, &opened) == 0 && ::stat(path.c_str(), &found) == 0 &&
         opened.st_dev == found.st_dev && opened.st_ino == found.st_ino;
}

std::filesystem::path place_of(const std::filesystem::path& path) {
  if (path.empty()) throw WriteError("''", "the name is empty, expected one of a file to write");
  constexpr int kMostLinks = 40;  // as the kernel follows
  std::filesystem::path place = path;
  std::error_code ignored;
  for (int n = 0; std::filesystem::is_symlink(place, ignored) && !is_in_proc(place); ++n) {
    if (n == kMostLinks) throw WriteError(path.string(), std::strerror(ELOOP));
    place = place.parent_path() / std::filesystem::read_symlink(place, ignored);
  }
  return place;
}

OutputFile::OutputFile(const std::filesystem::path& path, std::uint64_t size, unsigned mode,
                       Unfinished unfinished)
    : path_(place_of(path)), partial_(path_.string() + ".partial") {
  std::error_code ignored;
  if (std::filesystem::is_directory(path_, ignored)) {
    throw WriteError(path_.string(), "is a directory, expected the name of a file to write");
  }
  // A rename would put a file where a device was: /dev/null, for one, or /dev/stdout.
  if (std::filesystem::exists(path_, ignored) &&
      !std::filesystem::is_regular_file(std::filesystem::symlink_status(path_, ignored))) {
    throw WriteError(path_.string(), "is no regular file, expected the name of a file to write");
  }
  descriptor_ = open_locked(partial_, path_.string(), mode);
  was_named_ = is_named(descriptor_, partial_);
  has_kept_ = unfinished == Unfinished::kKeep && ::lseek(descriptor_, 0, SEEK_END) > 0;
  stays_ = has_kept_;
  if ((stays_ || ::ftruncate(descriptor_, 0) == 0) && try_reserve(size)) {
    stays_ = unfinished == Unfinished::kKeep;
    return;
  }
  const int reason = errno;
  if (!stays_) ::unlink(partial_.c_str());
  ::close(descriptor_);
  throw WriteError(path_.string(),
                   fmt::format("can't reserve {} bytes: {}", size, std::strerror(reason)));
}

bool OutputFile::try_reserve(std::uint64_t size) {
  if (size == 0) return true;
  struct statfs system {};
  struct stat file {};
  if (::fstatfs(descriptor_, &system) != 0 || ::fstat(descriptor_, &file) != 0) return false;
  // Only to make it longer: what is kept may lie further back.
  const auto grow = [&] {
    const auto length = static_cast<off_t>(size);
    return file.st_size >= length || ::ftruncate(descriptor_, length) == 0;
  };
  // In memory, reserving is getting every page, one after the other by one thread, as long as it
  // takes to write them. There it is enough to ask whether there is room.
  if (system.f_type == TMPFS_MAGIC) {
    const auto taken = static_cast<std::uint64_t>(file.st_blocks) * 512;
    const std::uint64_t room = system.f_bavail * static_cast<std::uint64_t>(system.f_bsize) + taken;
    const bool is_limited = system.f_blocks > 0;
    if (is_limited && room < size) errno = ENOSPC;
    return (!is_limited || room >= size) && grow();
  }
  if (::fallocate(descriptor_, 0, 0, static_cast<off_t>(size)) == 0) return true;
  // Where the file system can't reserve, a full disk shows up while writing.
  return (errno == EOPNOTSUPP || errno == ENOSYS) && grow();
}

void OutputFile::reserve(std::uint64_t size) {
  const off_t before = ::lseek(descriptor_, 0, SEEK_END);
  if (before >= 0 && try_reserve(size)) return;
  const int reason = errno;
  // A file system may have given a part of it.
  if (before >= 0 && ::ftruncate(descriptor_, before) != 0) fail("shorten");
  errno = reason;
  fail(fmt::format("reserve {} bytes", size));
}

OutputFile::~OutputFile() {
  const bool is_empty = ::lseek(descriptor_, 0, SEEK_END) == 0;
  if ((!stays_ && !lost_name()) || (is_empty && is_named(descriptor_, partial_))) {
    ::unlink(partial_.c_str());  // before the lock is given up
  }
  ::close(descriptor_);
}

void OutputFile::require_name() const {
  if (!lost_name()) return;
  throw WriteError(path_.string(), partial_.string() + " was removed or replaced meanwhile");
}

void OutputFile::fail(const std::string& action) const {
  throw WriteError(path_.string(), fmt::format("can't {}: {}", action, std::strerror(errno)));
}

void OutputFile::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(fmt::format("write {} bytes at byte {}", bytes.size(), offset));
    offset += static_cast<std::uint64_t>(n);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void OutputFile::read(std::uint64_t offset, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t n = ::pread(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = EIO;
    if (n <= 0) fail(fmt::format("read back {} bytes at byte {}", bytes.size(), offset));
    offset += static_cast<std::uint64_t>(n);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void OutputFile::resize(std::uint64_t size) {
  if (::ftruncate(descriptor_, static_cast<off_t>(size)) != 0) {
    fail(fmt::format("make it {} bytes long", size));
  }
}

void OutputFile::sync() {
  require_name();
  if (::fdatasync(descriptor_) != 0) fail("write to disk");
}

void OutputFile::commit() {
  if (::fsync(descriptor_) != 0) fail("write to disk");
  require_name();
  stays_ = true;  // what took hours isn't lost with its name
  if (::rename(partial_.c_str(), path_.c_str()) != 0) {
    fail("rename from " + partial_.string() + ", which is complete");
  }
  const std::filesystem::path parent = path_.has_parent_path() ? path_.parent_path() : ".";
  const int directory = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = directory >= 0 && (::fsync(directory) == 0 || means_no_sync(errno));
  const int reason = errno;
  if (directory >= 0) ::close(directory);
  errno = reason;
  if (!synced) fail("write the directory entry to disk");
}

void spare_inputs(const std::filesystem::path& path,
                  std::span<const std::filesystem::path> inputs) {
  for (const std::string& written : {path.string(), place_of(path).string() + ".partial"}) {
    for (const std::filesystem::path& input : inputs) {
      if (!leads_to_same(written, input)) continue;
      throw WriteError(written, fmt::format("is the same file as {}, which it is made from; choose "
                                            "another name for the output",
                                            input.string()));
    }
  }
  const auto is_shard = [](const std::filesystem::path& p) {
    return p.extension() == ".safetensors";
  };
  if (!is_shard(place_of(path))) return;
  std::error_code ignored;
  const auto folder = [&](const std::filesystem::path& p) {
    return std::filesystem::absolute(p, ignored).parent_path();
  };
  for (const std::filesystem::path& input : inputs) {
    if (!is_shard(input) || !std::filesystem::exists(input, ignored) ||
        !leads_to_same(folder(place_of(path)), folder(input))) {
      continue;
    }
    throw WriteError(path.string(), fmt::format("would be taken for weights beside {}; choose "
                                                "another name or folder for the output",
                                                input.string()));
  }
}

void check_writable(const std::filesystem::path& path) {
  const OutputFile file(path, 0, 0644, Unfinished::kKeep);  // which removes only an empty one
}

}  // namespace leyden::formats
