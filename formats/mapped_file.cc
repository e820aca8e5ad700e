#include "formats/mapped_file.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "formats/load_error.h"

namespace leyden::formats {

MappedFile::MappedFile(const InputFile& file) : name_(file.name()) {
  void* start = ::mmap(nullptr, file.size(), PROT_READ, MAP_SHARED, file.descriptor(), 0);
  if (start == MAP_FAILED) {
    throw LoadError(name_, fmt::format("can't map {} bytes into memory: {}", file.size(),
                                       std::strerror(errno)));
  }
  bytes_ = {static_cast<const std::byte*>(start), file.size()};
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : name_(std::move(other.name_)), bytes_(std::exchange(other.bytes_, {})) {}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace leyden::formats
