#include "src/runtime/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <new>
#include <system_error>
#include <utility>

#include "src/runtime/cgroup.h"

namespace leyden::runtime {
namespace {

constexpr std::size_t kSmallPage = 4096;
constexpr std::size_t kLeastToAdvise = std::size_t{64} << 10;  // below lie odds and ends

std::size_t round_up(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

std::byte* map(std::size_t bytes, int extra_flags) {
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | extra_flags,
                 -1, 0);
  return p == MAP_FAILED ? nullptr : static_cast<std::byte*>(p);
}

/// Reserved pages are promised by the machine as a whole: if the cgroup may not have so many, or a
/// node hasn't enough of its own for what is bound to it, a touch would end the process.
bool reserved_pages_suffice(std::size_t bytes, const MemoryHome& home) {
  const auto left = cgroup_huge_pages();
  if (left && *left < round_up(bytes, kHugePage)) return false;
  if (home.kind == MemoryHome::Kind::kFirstTouch) return true;
  const std::size_t each = round_up(bytes, kHugePage) / home.nodes.size() + kHugePage;
  return std::ranges::all_of(home.nodes,
                             [&](int node) { return node_memory(node).free_huge_pages >= each; });
}

thread_local MemoryTally* tally = nullptr;
std::byte counted;  // where all Memory is that is only counted

}  // namespace

MemoryTally::MemoryTally() { tally = this; }
MemoryTally::~MemoryTally() { tally = nullptr; }

Memory::Memory(std::size_t bytes, HugePages pages, const MemoryHome& home)
    : size_(bytes), home_(home) {
  if (bytes == 0) return;
  if (bytes > SIZE_MAX / 2) throw std::bad_alloc();
  if (tally != nullptr) {
    tally->bytes_ += round_up(bytes, kSmallPage);
    data_ = &counted;
    return;
  }
  const bool wants_reserved =
      pages == HugePages::kHugetlb || (pages == HugePages::kAuto && bytes >= kHugePage);
  std::size_t page = kHugePage;  // a reserved one can be bound as a whole only
  if (wants_reserved && reserved_pages_suffice(bytes, home)) map_reserved();
  if (data_ == nullptr) {
    if (pages == HugePages::kHugetlb) throw std::bad_alloc();
    map_plain(pages);
    page = kSmallPage;
  }
  is_bound_ = bind_memory(data_, round_up(bytes, page), home);
}

/// Without MAP_NORESERVE the kernel promises the pages now, so a later touch doesn't fail for want
/// of pages. Their size has to be said: the default may be another (default_hugepagesz=1G).
void Memory::map_reserved() {
  mapped_bytes_ = round_up(size_, kHugePage);
  mapping_ = data_ =
      map(mapped_bytes_, MAP_HUGETLB | (std::countr_zero(kHugePage) << MAP_HUGE_SHIFT));
}

void Memory::map_plain(HugePages pages) {
  const bool large = size_ >= kHugePage;
  mapped_bytes_ = large ? round_up(size_, kHugePage) + kHugePage : round_up(size_, kSmallPage);
  mapping_ = map(mapped_bytes_, 0);
  if (mapping_ == nullptr) throw std::bad_alloc();
  data_ = mapping_;
  if (large) {
    const auto address = reinterpret_cast<std::uintptr_t>(mapping_);
    data_ = mapping_ + (round_up(address, kHugePage) - address);
  } else if (size_ < kLeastToAdvise) {
    return;
  }
  // Advice only: a kernel without transparent huge pages refuses, and small pages work too. Smaller
  // regions share huge pages with their neighbours, as the pages of a small model's cache do.
  madvise(data_, round_up(size_, large ? kHugePage : kSmallPage),
          pages == HugePages::kOff ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
}

void Memory::lock() const {
  if (size_ > 0 && mlock(data_, size_) != 0) {
    throw std::system_error(errno, std::generic_category(), "mlock");
  }
}

Memory::Memory(Memory&& other) noexcept { *this = std::move(other); }

Memory& Memory::operator=(Memory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(home_, other.home_);
  std::swap(is_bound_, other.is_bound_);
  std::swap(mapping_, other.mapping_);
  std::swap(mapped_bytes_, other.mapped_bytes_);
  return *this;
}

Memory::~Memory() {
  if (mapping_ != nullptr) munmap(mapping_, mapped_bytes_);
}

}  // namespace leyden::runtime
