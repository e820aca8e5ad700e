#include "src/runtime/sightings.h"

#include <sched.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace leyden::runtime {

std::vector<Sighting> see_workers(ThreadTeam& team) {
  std::vector<Sighting> seen;
  for (int worker = 0; worker < team.size(); ++worker) {
    seen.push_back({worker, team.crew().workers[static_cast<std::size_t>(worker)].cpu, -1});
  }
  // As many pieces as workers; each is held until all are taken, so that everyone gets one.
  constexpr std::chrono::seconds kPatience(5);
  std::atomic<int> arrived = 0;
  team.run(team.size(), [&](int, int worker) {
    seen[static_cast<std::size_t>(worker)].cpu = sched_getcpu();
    ++arrived;
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (arrived < team.size() && std::chrono::steady_clock::now() < end) {
      std::this_thread::yield();
    }
  });
  return seen;
}

}  // namespace leyden::runtime
