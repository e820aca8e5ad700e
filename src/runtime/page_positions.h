#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

namespace leyden::runtime {

/// Where some pages lie, as the kernel says.
struct PagePositions {
  std::map<int, std::int64_t> on_node;  // sampled pages by node
  std::int64_t absent = 0;              // never touched
  std::int64_t unknown = 0;             // the kernel wouldn't say
  int error = 0;                        // errno, if it says nothing at all

  std::int64_t known() const;
  /// Adds what was found elsewhere; the first error stays.
  void add(const PagePositions& other);
};

/// Asks for the nodes of at most `most` pages, evenly spread over the memory. Moves nothing.
PagePositions sample_pages(const std::byte* data, std::size_t bytes, std::int64_t most);

/// Bytes of it that lie in huge pages, transparent or reserved (/proc/self/smaps).
std::size_t bytes_in_huge_pages(const std::byte* data, std::size_t bytes);

}  // namespace leyden::runtime
