#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace leyden::runtime {

/// The threads that compute: the caller and n - 1 workers, which are long-lived oneTBB tasks in an
/// arena of their own.
///
/// run() hands out numbered pieces of work. Who does a piece varies, what a piece is must not: that
/// is how results keep their bits for any number of threads, and how a busy neighbour on one core
/// costs its share and no more. Workers spin briefly for the next job, then sleep in the kernel, so
/// nothing burns while the program waits for a person.
class ThreadTeam {
 public:
  /// n_threads >= 1, the caller of run() included.
  explicit ThreadTeam(int n_threads);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  int size() const { return n_threads_; }

  /// Calls body(piece, worker) once for every piece in [0, n_pieces), worker in [0, size()); no two
  /// calls with the same worker overlap. Returns when all are done, with all their writes visible.
  /// The first exception thrown by a piece is thrown again here, after the others are done.
  /// Not reentrant: a body must not call run(), and one thread at a time may.
  template <class Body>
  void run(int n_pieces, const Body& body) {
    static_assert(std::is_invocable_v<const Body&, int, int>);
    run_erased(n_pieces, &body, [](const void* context, int piece, int worker) {
      (*static_cast<const Body*>(context))(piece, worker);
    });
  }

 private:
  using Call = void (*)(const void* context, int piece, int worker);
  struct State;

  void run_erased(int n_pieces, const void* context, Call call);

  int n_threads_;
  std::unique_ptr<State> state_;
};

}  // namespace leyden::runtime
