#include "src/runtime/memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>
#include <utility>

namespace leyden::runtime {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kSmallPage = 4096;

std::size_t round_up(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

std::byte* map(std::size_t bytes, int extra_flags) {
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | extra_flags,
                 -1, 0);
  return p == MAP_FAILED ? nullptr : static_cast<std::byte*>(p);
}

}  // namespace

std::string_view name(HugePages pages) {
  switch (pages) {
    case HugePages::kAuto:
      return "auto";
    case HugePages::kThp:
      return "thp";
    case HugePages::kHugetlb:
      return "hugetlb";
    case HugePages::kOff:
      return "off";
  }
  return "?";
}

Memory::Memory(std::size_t bytes, HugePages pages) : size_(bytes) {
  if (bytes == 0) return;
  if (bytes > SIZE_MAX / 2) throw std::bad_alloc();
  const bool large = bytes >= kHugePage;

  if (pages == HugePages::kHugetlb || (pages == HugePages::kAuto && large)) {
    mapped_bytes_ = round_up(bytes, kHugePage);
    // Without MAP_NORESERVE the kernel promises the pages now, so a later touch can't fail.
    mapping_ = data_ = map(mapped_bytes_, MAP_HUGETLB);
    if (data_ != nullptr) return;
    if (pages == HugePages::kHugetlb) throw std::bad_alloc();
  }

  mapped_bytes_ = large ? round_up(bytes, kHugePage) + kHugePage : round_up(bytes, kSmallPage);
  mapping_ = map(mapped_bytes_, 0);
  if (mapping_ == nullptr) throw std::bad_alloc();
  data_ = mapping_;
  if (!large) return;
  const auto address = reinterpret_cast<std::uintptr_t>(mapping_);
  data_ = mapping_ + (round_up(address, kHugePage) - address);
  // Advice only: a kernel without transparent huge pages refuses, and small pages work too.
  madvise(data_, round_up(bytes, kHugePage),
          pages == HugePages::kOff ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
}

Memory::Memory(Memory&& other) noexcept { *this = std::move(other); }

Memory& Memory::operator=(Memory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapping_, other.mapping_);
  std::swap(mapped_bytes_, other.mapped_bytes_);
  return *this;
}

Memory::~Memory() {
  if (mapping_ != nullptr) munmap(mapping_, mapped_bytes_);
}

}  // namespace leyden::runtime
