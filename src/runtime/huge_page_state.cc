#include "src/runtime/huge_page_state.h"

#include <algorithm>
#include <fstream>

#include "src/runtime/cgroup.h"
#include "src/runtime/memory_home.h"

namespace leyden::runtime {
namespace {

/// The word in brackets of "always [madvise] never".
std::string chosen_word(const std::string& file) {
  std::ifstream in(file);
  for (std::string word; in >> word;) {
    if (word.size() > 2 && word.front() == '[') return word.substr(1, word.size() - 2);
  }
  return "";
}

}  // namespace

HugePageState huge_page_state() {
  const std::string folder = "/sys/kernel/mm/transparent_hugepage/";
  const std::string pages = "/sys/kernel/mm/hugepages/hugepages-2048kB/";
  HugePageState state = {chosen_word(folder + "enabled"), chosen_word(folder + "defrag")};
  std::ifstream(pages + "nr_hugepages") >> state.reserved;
  std::ifstream(pages + "free_hugepages") >> state.free;
  std::uint64_t promised = 0;
  std::ifstream(pages + "resv_hugepages") >> promised;
  state.free -= std::min(state.free, promised);
  if (const auto left = cgroup_huge_pages()) state.free = std::min(state.free, *left / kHugePage);
  return state;
}

}  // namespace leyden::runtime
