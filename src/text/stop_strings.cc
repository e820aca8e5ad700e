#include "src/text/stop_strings.h"

#include <algorithm>
#include <utility>

#include "src/text/hold_back.h"

namespace leyden::text {

StopStrings::StopStrings(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
}

std::string StopStrings::push(std::string_view text) {
  if (stopped()) return {};
  held_ += text;
  std::size_t begin = 0, end = std::string::npos;
  for (const std::string& stop : stops_) {
    const std::size_t at = held_.find(stop);
    if (at == std::string::npos || std::pair(at + stop.size(), at) >= std::pair(end, begin))
      continue;
    begin = at;
    end = at + stop.size();
    stopped_by_ = stop;
  }
  if (stopped()) return std::exchange(held_, {}).substr(0, begin);

  std::size_t n_kept = 0;
  for (const std::string& stop : stops_) {
    n_kept = std::max(n_kept, partial_match_at_end(held_, stop));
  }
  std::string shown = held_.substr(0, held_.size() - n_kept);
  held_.erase(0, shown.size());
  return shown;
}

std::string StopStrings::finish() { return std::exchange(held_, {}); }

}  // namespace leyden::text
