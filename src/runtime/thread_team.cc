#include "src/runtime/thread_team.h"

#include <fmt/format.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <exception>
#include <latch>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "src/runtime/spin.h"

namespace leyden::runtime {
namespace {

constexpr std::uint64_t make_ticket(std::uint32_t job, std::uint32_t pieces_left) {
  return std::uint64_t{job} << 32 | pieces_left;
}
constexpr std::uint32_t job_of(std::uint64_t ticket) {
  return static_cast<std::uint32_t>(ticket >> 32);
}
constexpr std::uint32_t pieces_left(std::uint64_t ticket) {
  return static_cast<std::uint32_t>(ticket);
}

/// Lets oneTBB have as many threads as all living teams need together, besides those it had for the
/// program around us. A team's workers never give their threads back while it lives, so under a
/// smaller limit a second team, or that program, would get none.
class WorkerQuota {
 public:
  explicit WorkerQuota(int n_workers) : n_workers_(n_workers) { change(n_workers_); }
  ~WorkerQuota() { change(-n_workers_); }
  WorkerQuota(const WorkerQuota&) = delete;
  WorkerQuota& operator=(const WorkerQuota&) = delete;

 private:
  static void change(int by) {
    static std::mutex mutex;
    static int total = 0;
    static std::size_t programs_own = 0;  // its caller's thread included
    static std::optional<oneapi::tbb::global_control> limit;
    constexpr auto kThreads = oneapi::tbb::global_control::max_allowed_parallelism;
    const std::lock_guard lock(mutex);
    if (!limit) programs_own = oneapi::tbb::global_control::active_value(kThreads);
    total += by;
    limit.reset();  // of several limits the smallest would count
    if (total > 0) {
      limit.emplace(kThreads, static_cast<std::size_t>(total) + programs_own);
    }
  }

  int n_workers_;
};

/// oneTBB's threads start each other, and where one can't, an exception ends the program. So
/// whether there is room for n of them at once, and a quarter more, as they need more than their
/// stacks, is tried with threads that do nothing. Errors: std::system_error, std::bad_alloc.
void try_threads(int n) {
  std::latch end(1);
  std::atomic<std::size_t> n_begun = 0;
  std::vector<std::jthread> threads;
  n += (n + 3) / 4;
  threads.reserve(static_cast<std::size_t>(n));
  try {
    for (; n > 0; --n) {
      threads.emplace_back([&] {
        void* const volatile some = std::malloc(1);  // which gives the thread a heap of its own
        std::free(some);
        n_begun.fetch_add(1, std::memory_order_release);
        end.wait();
      });
      while (n_begun.load(std::memory_order_acquire) < threads.size()) std::this_thread::yield();
    }
  } catch (...) {
    end.count_down();
    throw;
  }
  end.count_down();
}

}  // namespace

struct ThreadTeam::State {
  explicit State(const Crew& the_crew)
      : crew(the_crew), queues(the_crew.nodes.size()), quota(the_crew.size() - 1), use(the_crew) {}

  /// The pieces whose home is one node.
  struct alignas(64) Queue {
    // The job number and the pieces of it nobody has claimed. A piece is claimed by lowering the
    // count; whoever succeeds knows that the job can't end before it has done the piece, and may
    // therefore read the job's fields.
    std::atomic<std::uint64_t> ticket{0};
    int* pieces = nullptr;  // null: 0, 1, 2 ...
    std::uint32_t n_pieces = 0;
  };
  /// The workers of one node: an arena's threads never leave it while they live.
  struct Arena {
    explicit Arena(int n_workers) : arena(n_workers + 1, /*reserved_for_masters=*/1) {
      arena.initialize();  // now: one that couldn't be made waits for itself when it is next used
    }
    oneapi::tbb::task_arena arena;
    oneapi::tbb::task_group workers;
  };

  const Crew& crew;
  std::vector<Queue> queues;  // one per node
  alignas(64) std::atomic<std::uint32_t> job{0};
  alignas(64) std::atomic<std::uint32_t> pieces_done{0};
  alignas(64) std::atomic<int> sleepers{0};
  std::atomic<bool> stopping{false};
  std::atomic<int> n_started{0};

  const void* context = nullptr;
  Call call = nullptr;
  std::uint32_t n_pieces = 0;
  std::vector<int> homes, ordered;  // of each piece; the pieces ordered by home

  std::mutex failure_mutex;
  std::exception_ptr failure;

  WorkerQuota quota;
  CpuUse use;
  std::deque<Arena> arenas;
  const pid_t process = getpid();  // whose threads the workers are

  void start_workers();
  void await_workers() const;
  void stop_workers();
  void fill_queues(std::span<const int> piece_homes, std::uint32_t new_job);
  void work_on(std::uint32_t current, int worker);
  void empty(Queue& queue, std::uint32_t current, int worker);
  void worker_loop(int worker);
  std::uint32_t wait_for_job(std::uint32_t seen);
};

/// Does pieces of one queue until none is left or another job has begun.
void ThreadTeam::State::empty(Queue& queue, std::uint32_t current, int worker) {
  std::uint64_t seen = queue.ticket.load(std::memory_order_acquire);
  while (job_of(seen) == current && pieces_left(seen) > 0) {
    if (!queue.ticket.compare_exchange_weak(seen, seen - 1, std::memory_order_acq_rel,
                                            std::memory_order_acquire)) {
      continue;
    }
    const std::uint32_t at = queue.n_pieces - pieces_left(seen);
    try {
      call(context, queue.pieces != nullptr ? queue.pieces[at] : static_cast<int>(at), worker);
    } catch (...) {
      const std::lock_guard lock(failure_mutex);
      if (!failure) failure = std::current_exception();
    }
    const std::uint32_t total = n_pieces;
    if (pieces_done.fetch_add(1, std::memory_order_acq_rel) + 1 == total) pieces_done.notify_one();
    seen = queue.ticket.load(std::memory_order_acquire);
  }
}

/// Its own node's pieces first, then those of the nodes after it.
void ThreadTeam::State::work_on(std::uint32_t current, int worker) {
  const auto own = static_cast<std::size_t>(crew.workers[static_cast<std::size_t>(worker)].node);
  for (std::size_t i = 0; i < queues.size(); ++i) {
    empty(queues[(own + i) % queues.size()], current, worker);
  }
}

std::uint32_t ThreadTeam::State::wait_for_job(std::uint32_t seen) {
  std::uint32_t now = seen;
  const auto has_come = [&] { return (now = job.load(std::memory_order_acquire)) != seen; };
  if (spin_until(has_come)) return now;
  sleepers.fetch_add(1, std::memory_order_seq_cst);
  now = job.load(std::memory_order_seq_cst);
  while (now == seen) {
    job.wait(seen, std::memory_order_seq_cst);
    now = job.load(std::memory_order_seq_cst);
  }
  sleepers.fetch_sub(1, std::memory_order_relaxed);
  return now;
}

void ThreadTeam::State::worker_loop(int worker) {
  n_started.fetch_add(1, std::memory_order_release);
  const ThreadBinding bound(crew.workers[static_cast<std::size_t>(worker)].cpu);
  for (std::uint32_t seen = 0;;) {
    seen = wait_for_job(seen);
    if (stopping.load(std::memory_order_relaxed)) return;
    work_on(seen, worker);
  }
}

// Arenas have no constraints of their own: oneTBB would bind their threads to nodes through
// libtbbbind, and where that library is missing it says nothing and binds nothing.
void ThreadTeam::State::start_workers() {
  const int callers_node = crew.workers.front().node;  // the caller is the first worker
  for (int node = 0, worker = 1; node < crew.n_nodes(); ++node) {
    int n = crew.size_of(node) - (node == callers_node ? 1 : 0);
    Arena& home = arenas.emplace_back(n);
    for (; n > 0; --n, ++worker) {
      home.arena.execute(
          [&home, this, worker] { home.workers.run([this, worker] { worker_loop(worker); }); });
    }
  }
}

/// Until all have begun, so that nothing else takes the room they were found to have. Not for ever:
/// what a thread that never comes should have done, others do.
void ThreadTeam::State::await_workers() const {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::seconds(1);
  const int all = crew.size() - 1;
  while (n_started.load(std::memory_order_acquire) < all && Clock::now() < end) {
    std::this_thread::yield();
  }
}

/// Waits for them from inside their arenas, so that one whose thread never came is done here.
void ThreadTeam::State::stop_workers() {
  stopping.store(true, std::memory_order_relaxed);
  job.fetch_add(1, std::memory_order_seq_cst);
  job.notify_all();
  for (Arena& home : arenas) {
    home.arena.execute([&home] { home.workers.wait(); });
  }
}

/// Publishes the pieces: a counting sort by home, or all of them in one queue.
void ThreadTeam::State::fill_queues(std::span<const int> piece_homes, std::uint32_t new_job) {
  for (Queue& queue : queues) queue.n_pieces = 0;
  if (piece_homes.empty()) {
    queues[0].n_pieces = n_pieces;
    queues[0].pieces = nullptr;
  } else {
    for (const int home : piece_homes) ++queues[static_cast<std::size_t>(home)].n_pieces;
    int* next = ordered.data();
    for (Queue& queue : queues) {
      queue.pieces = next;
      next += queue.n_pieces;
      queue.n_pieces = 0;
    }
    for (std::size_t piece = 0; piece < piece_homes.size(); ++piece) {
      Queue& queue = queues[static_cast<std::size_t>(piece_homes[piece])];
      queue.pieces[queue.n_pieces++] = static_cast<int>(piece);
    }
  }
  for (Queue& queue : queues) {
    queue.ticket.store(make_ticket(new_job, queue.n_pieces), std::memory_order_release);
  }
}

ThreadTeam::ThreadTeam(const Crew& crew) : crew_(crew), state_(std::make_unique<State>(crew_)) {
  try {
    try_threads(crew_.size() - 1);
    state_->start_workers();
    state_->await_workers();
  } catch (const std::bad_alloc&) {
    state_->stop_workers();
    throw;
  } catch (const std::exception& error) {
    state_->stop_workers();
    throw std::runtime_error(
        fmt::format("can't start {} threads: {}; -t takes fewer", crew_.size(), error.what()));
  }
}

ThreadTeam::~ThreadTeam() {
  if (state_->process == getpid()) {
    state_->stop_workers();
  } else {
    // After a fork(): this process has no such workers, nor will it ever, and oneTBB would wait for
    // them. What they would have used is left to the end of the process.
    static_cast<void>(state_.release());
  }
}

std::span<int> ThreadTeam::homes_for(int n_pieces) {
  const auto n = static_cast<std::size_t>(std::max(n_pieces, 0));
  if (state_->homes.size() < n) {
    state_->homes.resize(n);
    state_->ordered.resize(n);
  }
  return {state_->homes.data(), n};
}

void ThreadTeam::run_erased(int n_pieces, std::span<const int> homes, const void* context,
                            Call call) {
  if (n_pieces <= 0) return;
  if (size() == 1 || (n_pieces == 1 && homes.empty())) {
    std::exception_ptr failure;
    for (int piece = 0; piece < n_pieces; ++piece) {
      try {
        call(context, piece, 0);
      } catch (...) {
        if (!failure) failure = std::current_exception();
      }
    }
    if (failure) std::rethrow_exception(failure);
    return;
  }
  State& s = *state_;
  s.context = context;
  s.call = call;
  s.n_pieces = static_cast<std::uint32_t>(n_pieces);
  s.pieces_done.store(0, std::memory_order_relaxed);
  const std::uint32_t job = s.job.load(std::memory_order_relaxed) + 1;
  s.fill_queues(homes, job);
  s.job.store(job, std::memory_order_seq_cst);
  if (s.sleepers.load(std::memory_order_seq_cst) > 0) s.job.notify_all();

  s.work_on(job, /*worker=*/0);

  std::uint32_t done = 0;
  const auto all_done = [&] {
    return (done = s.pieces_done.load(std::memory_order_acquire)) == s.n_pieces;
  };
  if (!spin_until(all_done)) {
    while (!all_done()) {
      s.pieces_done.wait(done, std::memory_order_acquire);  // its core is busy with someone else
    }
  }
  if (s.failure) std::rethrow_exception(std::exchange(s.failure, nullptr));
}

}  // namespace leyden::runtime
