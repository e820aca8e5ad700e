#include "src/runtime/zone_info.h"

#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <string>

namespace leyden::runtime {
namespace {

/// The largest number of "(0, 3018, 24090)".
std::size_t largest_of(std::string list) {
  for (char& c : list) {
    if (c < '0' || c > '9') c = ' ';
  }
  std::istringstream numbers(list);
  std::size_t largest = 0;
  for (std::size_t pages = 0; numbers >> pages;) largest = std::max(largest, pages);
  return largest;
}

}  // namespace

std::size_t kept_by_kernel(std::istream& zones, int os_index, double boost) {
  const std::string wanted = std::to_string(os_index) + ",";
  bool of_node = false;
  std::size_t kept = 0, high = 0, managed = 0;
  for (std::string line; std::getline(zones, line);) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    if (key == "Node") {
      std::string node;
      words >> node;
      of_node = node == wanted;
      high = managed = 0;
    } else if (key == "high") {
      words >> high;
    } else if (key == "managed") {
      words >> managed;
    } else if (key == "protection:" && of_node) {
      std::string list;
      std::getline(words, list);
      const auto boosted = static_cast<std::size_t>(static_cast<double>(high) * (1 + boost));
      kept += std::min(managed, boosted + largest_of(std::move(list)));
    }
  }
  return kept * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace leyden::runtime
