#include "src/runtime/thread_team.h"

#include <immintrin.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <exception>
#include <mutex>
#include <optional>
#include <utility>

namespace leyden::runtime {
namespace {

// About 20 us of pauses: longer than the serial gaps between the phases of a layer, far shorter
// than anything a person would notice on a battery.
constexpr int kSpins = 2000;

constexpr std::uint64_t make_ticket(std::uint32_t job, std::uint32_t pieces_left) {
  return std::uint64_t{job} << 32 | pieces_left;
}
constexpr std::uint32_t job_of(std::uint64_t ticket) {
  return static_cast<std::uint32_t>(ticket >> 32);
}
constexpr std::uint32_t pieces_left(std::uint64_t ticket) {
  return static_cast<std::uint32_t>(ticket);
}

/// Lets oneTBB have as many threads as all living teams need together. A team's workers never give
/// their threads back while it lives, so under a smaller limit a second team would get none.
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
    static std::optional<oneapi::tbb::global_control> limit;
    const std::lock_guard lock(mutex);
    total += by;
    limit.reset();  // of several limits the smallest would count
    if (total > 0) {
      limit.emplace(oneapi::tbb::global_control::max_allowed_parallelism,
                    static_cast<std::size_t>(total) + 1);
    }
  }

  int n_workers_;
};

}  // namespace

struct ThreadTeam::State {
  explicit State(int n_threads)
      : quota(n_threads - 1), arena(n_threads, /*reserved_for_masters=*/1) {}

  // The job number and the pieces of it nobody has claimed. A piece is claimed by lowering the
  // count; whoever succeeds knows that the job can't end before it has done the piece, and may
  // therefore read the job's fields.
  alignas(64) std::atomic<std::uint64_t> ticket{0};
  alignas(64) std::atomic<std::uint32_t> pieces_done{0};
  alignas(64) std::atomic<int> sleepers{0};
  std::atomic<bool> stopping{false};

  const void* context = nullptr;
  Call call = nullptr;
  std::uint32_t n_pieces = 0;

  std::mutex failure_mutex;
  std::exception_ptr failure;

  WorkerQuota quota;
  oneapi::tbb::task_arena arena;
  oneapi::tbb::task_group workers;

  void work_on(std::uint32_t job, int worker);
  void worker_loop(int worker);
  std::uint64_t wait_for_pieces();
};

void ThreadTeam::State::work_on(std::uint32_t job, int worker) {
  std::uint64_t seen = ticket.load(std::memory_order_acquire);
  while (job_of(seen) == job && pieces_left(seen) > 0) {
    if (!ticket.compare_exchange_weak(seen, seen - 1, std::memory_order_acq_rel,
                                      std::memory_order_acquire)) {
      continue;
    }
    const auto piece = static_cast<int>(n_pieces - pieces_left(seen));
    try {
      call(context, piece, worker);
    } catch (...) {
      const std::lock_guard lock(failure_mutex);
      if (!failure) failure = std::current_exception();
    }
    const std::uint32_t total = n_pieces;
    if (pieces_done.fetch_add(1, std::memory_order_acq_rel) + 1 == total) pieces_done.notify_one();
    seen = ticket.load(std::memory_order_acquire);
  }
}

std::uint64_t ThreadTeam::State::wait_for_pieces() {
  for (int spin = 0; spin < kSpins; ++spin) {
    const std::uint64_t seen = ticket.load(std::memory_order_acquire);
    if (pieces_left(seen) > 0 || stopping.load(std::memory_order_relaxed)) return seen;
    _mm_pause();
  }
  sleepers.fetch_add(1, std::memory_order_seq_cst);
  std::uint64_t seen = ticket.load(std::memory_order_seq_cst);
  while (pieces_left(seen) == 0 && !stopping.load(std::memory_order_relaxed)) {
    ticket.wait(seen, std::memory_order_seq_cst);
    seen = ticket.load(std::memory_order_seq_cst);
  }
  sleepers.fetch_sub(1, std::memory_order_relaxed);
  return seen;
}

void ThreadTeam::State::worker_loop(int worker) {
  while (true) {
    const std::uint64_t seen = wait_for_pieces();
    if (stopping.load(std::memory_order_relaxed)) return;
    work_on(job_of(seen), worker);
  }
}

ThreadTeam::ThreadTeam(int n_threads) : n_threads_(n_threads) {
  state_ = std::make_unique<State>(n_threads);
  for (int worker = 1; worker < n_threads; ++worker) {
    state_->arena.execute([this, worker] {
      state_->workers.run([state = state_.get(), worker] { state->worker_loop(worker); });
    });
  }
}

ThreadTeam::~ThreadTeam() {
  state_->stopping.store(true, std::memory_order_relaxed);
  // A new job number with no pieces wakes every sleeper.
  state_->ticket.store(make_ticket(job_of(state_->ticket.load()) + 1, 0),
                       std::memory_order_seq_cst);
  state_->ticket.notify_all();
  state_->arena.execute([this] { state_->workers.wait(); });
}

void ThreadTeam::run_erased(int n_pieces, const void* context, Call call) {
  if (n_pieces <= 0) return;
  if (n_threads_ == 1 || n_pieces == 1) {
    for (int piece = 0; piece < n_pieces; ++piece) call(context, piece, 0);
    return;
  }
  State& s = *state_;
  s.context = context;
  s.call = call;
  s.n_pieces = static_cast<std::uint32_t>(n_pieces);
  s.pieces_done.store(0, std::memory_order_relaxed);
  const std::uint32_t job = job_of(s.ticket.load(std::memory_order_relaxed)) + 1;
  s.ticket.store(make_ticket(job, s.n_pieces), std::memory_order_seq_cst);
  if (s.sleepers.load(std::memory_order_seq_cst) > 0) s.ticket.notify_all();

  s.work_on(job, /*worker=*/0);

  std::uint32_t done = s.pieces_done.load(std::memory_order_acquire);
  for (int spin = 0; done != s.n_pieces; ++spin) {
    if (spin < kSpins) {
      _mm_pause();
    } else {
      s.pieces_done.wait(done, std::memory_order_acquire);  // its core is busy with someone else
    }
    done = s.pieces_done.load(std::memory_order_acquire);
  }
  if (s.failure) std::rethrow_exception(std::exchange(s.failure, nullptr));
}

}  // namespace leyden::runtime
