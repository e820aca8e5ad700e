#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "src/runtime/memory_home.h"

namespace leyden::runtime {

/// Pages that large buffers live in. Reading weights out of 4 KiB pages costs up to a third of the
/// bandwidth (docs/design.md), so huge pages are the default wherever the system has them.
enum class HugePages {
  kAuto,     // hugetlb if enough are reserved, otherwise thp
  kThp,      // transparent huge pages, asked for with madvise
  kHugetlb,  // reserved 2 MiB pages only; allocation fails without them
  kOff,      // the system's small pages
};

/// An owned, zeroed region of memory, from 2 MiB on aligned to 2 MiB. Pages are not touched before
/// the owner does; by then they have their home.
class Memory {
 public:
  Memory() = default;
  /// Throws std::bad_alloc when the system refuses (kHugetlb: when too few pages are reserved, on
  /// the home's nodes if it has any).
  explicit Memory(std::size_t bytes, HugePages pages = HugePages::kAuto,
                  const MemoryHome& home = {});
  Memory(Memory&& other) noexcept;
  Memory& operator=(Memory&& other) noexcept;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory();

  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  const MemoryHome& home() const { return home_; }
  /// False if the system refused the home.
  bool is_bound() const { return is_bound_; }

  /// Keeps all pages in RAM, touching those that aren't there yet. Throws std::system_error when
  /// the system refuses (ulimit -l).
  void lock() const;

 private:
  void map_reserved();
  void map_plain(HugePages pages);

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  MemoryHome home_;
  bool is_bound_ = true;
  std::byte* mapping_ = nullptr;  // what munmap gets back
  std::size_t mapped_bytes_ = 0;
};

/// While it lives, what its thread makes of Memory is counted and not mapped: it has a size, and an
/// address that nobody may touch. So what something will need is known from its own constructor.
/// One at a time.
class MemoryTally {
 public:
  MemoryTally();
  ~MemoryTally();
  MemoryTally(const MemoryTally&) = delete;
  MemoryTally& operator=(const MemoryTally&) = delete;

  /// In whole pages of 4 KiB.
  std::size_t bytes() const { return bytes_; }

 private:
  friend class Memory;
  std::size_t bytes_ = 0;
};

/// A typed array in Memory.
template <class T>
class Array {
 public:
  Array() = default;
  explicit Array(std::size_t count) : memory_(count * sizeof(T)), count_(count) {}

  T* data() const { return reinterpret_cast<T*>(memory_.data()); }
  std::size_t size() const { return count_; }
  T& operator[](std::size_t i) const { return data()[i]; }
  std::span<T> span() const { return {data(), count_}; }

  /// Makes room for at least `count` values; what was there is lost when it has to grow.
  void reserve_discarding(std::size_t count) {
    if (count > count_) *this = Array(count);
  }

 private:
  Memory memory_;
  std::size_t count_ = 0;
};

}  // namespace leyden::runtime
