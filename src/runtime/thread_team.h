#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>

#include "src/runtime/binding.h"
#include "src/runtime/crew.h"

namespace leyden::runtime {

/// The threads that compute: the caller and workers, which are long-lived oneTBB tasks, bound to
/// hardware threads, in one arena per NUMA node.
///
/// run() hands out numbered pieces of work. Who does a piece varies, what a piece is must not: that
/// is how results keep their bits for any number of threads, and how a busy neighbour on one core
/// costs its share and no more. A piece may have a home, the node whose memory it reads: threads
/// do the pieces of their own node first, and others' only when those are done. Workers spin
/// briefly for the next job, then sleep in the kernel, so nothing burns while the program waits for
/// a person.
class ThreadTeam {
 public:
  explicit ThreadTeam(const Crew& crew);
  /// Threads that run where the system puts them. n_threads >= 1, the caller of run() included.
  explicit ThreadTeam(int n_threads) : ThreadTeam(unbound_crew(n_threads)) {}
  /// In a child that fork() has made, which has no workers, it waits for none and frees nothing of
  /// theirs.
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  int size() const { return crew_.size(); }
  const Crew& crew() const { return crew_; }
  /// Of a worker, as an index into crew().nodes.
  int node_of(int worker) const { return crew_.workers[static_cast<std::size_t>(worker)].node; }

  /// Binds the calling thread to the first worker's place for some runs.
  ThreadBinding bind_caller() const { return ThreadBinding(crew_.workers.front().cpu); }

  /// Calls body(piece, worker) once for every piece in [0, n_pieces), worker in [0, size()); no two
  /// calls with the same worker overlap. Returns when all are done, with all their writes visible.
  /// The first exception thrown by a piece is thrown again here, after the others are done.
  /// Not reentrant: a body must not call run(), and one thread at a time may.
  template <class Body>
  void run(int n_pieces, const Body& body) {
    run_erased(n_pieces, {}, &body, &invoke<Body>);
  }

  /// The same with homes: home(piece) is an index into crew().nodes. Others, which a model placed
  /// for another crew may have, count as the first.
  template <class Body, class Home>
  void run(int n_pieces, const Body& body, const Home& home) {
    if (crew_.n_nodes() == 1) return run(n_pieces, body);
    const std::span<int> homes = homes_for(n_pieces);
    for (int piece = 0; piece < n_pieces; ++piece) {
      const int node = home(piece);
      homes[static_cast<std::size_t>(piece)] = node < crew_.n_nodes() ? node : 0;
    }
    run_erased(n_pieces, homes, &body, &invoke<Body>);
  }

 private:
  using Call = void (*)(const void* context, int piece, int worker);
  struct State;

  template <class Body>
  static void invoke(const void* context, int piece, int worker) {
    static_assert(std::is_invocable_v<const Body&, int, int>);
    (*static_cast<const Body*>(context))(piece, worker);
  }

  std::span<int> homes_for(int n_pieces);
  void run_erased(int n_pieces, std::span<const int> homes, const void* context, Call call);

  Crew crew_;
  std::unique_ptr<State> state_;
};

}  // namespace leyden::runtime
