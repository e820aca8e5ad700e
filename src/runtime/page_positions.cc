#include "src/runtime/page_positions.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

namespace leyden::runtime {
namespace {

constexpr std::size_t kPage = 4096;

/// Node of each page, or minus an errno. False if the call as a whole fails.
bool ask(std::vector<void*>& pages, std::vector<int>& nodes) {
  nodes.assign(pages.size(), -ENOENT);
  return syscall(SYS_move_pages, 0, pages.size(), pages.data(), nullptr, nodes.data(), 0) == 0;
}

/// The kernel says EFAULT of pages it is about to move between nodes (NUMA balancing); once they
/// have been read it knows again.
void ask_again(const std::vector<void*>& pages, std::vector<int>& nodes) {
  for (int attempt = 0; attempt < 3; ++attempt) {
    std::vector<void*> failed;
    for (std::size_t i = 0; i < pages.size(); ++i) {
      if (nodes[i] != -EFAULT) continue;
      static_cast<void>(*static_cast<const volatile std::byte*>(pages[i]));
      failed.push_back(pages[i]);
    }
    std::vector<int> answers;
    if (failed.empty() || !ask(failed, answers)) return;
    auto answer = answers.begin();
    for (int& node : nodes) {
      if (node == -EFAULT) node = *answer++;
    }
  }
}

}  // namespace

std::int64_t PagePositions::known() const {
  return std::accumulate(on_node.begin(), on_node.end(), std::int64_t{0},
                         [](std::int64_t sum, const auto& entry) { return sum + entry.second; });
}

void PagePositions::add(const PagePositions& other) {
  for (const auto& [node, pages] : other.on_node) on_node[node] += pages;
  absent += other.absent;
  unknown += other.unknown;
  if (error == 0) error = other.error;
}

PagePositions sample_pages(const std::byte* data, std::size_t bytes, std::int64_t most) {
  PagePositions found;
  const auto n_pages = static_cast<std::int64_t>((bytes + kPage - 1) / kPage);
  const std::int64_t n = std::min(n_pages, most);
  if (n == 0) return found;
  std::vector<void*> pages;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto page = static_cast<std::size_t>(i * n_pages / n);
    pages.push_back(const_cast<std::byte*>(data) + page * kPage);
  }
  std::vector<int> nodes;
  if (!ask(pages, nodes)) {
    found.error = errno;
    return found;
  }
  ask_again(pages, nodes);
  for (const int node : nodes) {
    if (node >= 0) {
      ++found.on_node[node];
    } else {
      ++(node == -ENOENT ? found.absent : found.unknown);
    }
  }
  return found;
}

std::size_t bytes_in_huge_pages(const std::byte* data, std::size_t bytes) {
  const auto begin = reinterpret_cast<std::uintptr_t>(data);
  const std::uintptr_t end = begin + bytes;
  std::ifstream in("/proc/self/smaps");
  std::size_t total = 0;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    unsigned long from = 0, to = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &from, &to) == 2) {
      inside = from < end && to > begin;
      continue;
    }
    std::istringstream fields(line);
    std::string key;
    std::size_t kib = 0;
    if (inside && fields >> key >> kib &&
        (key == "AnonHugePages:" || key == "Private_Hugetlb:" || key == "Shared_Hugetlb:")) {
      total += kib << 10;
    }
  }
  return std::min(total, bytes);
}

}  // namespace leyden::runtime
