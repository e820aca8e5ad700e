#pragma once

#include "simd/kernels.h"
#include "src/runtime/memory_home.h"
#include "src/runtime/thread_team.h"

namespace leyden::runtime {

/// What this machine can do at most with some threads, measured: the yardsticks of every benchmark.
struct MachineLimits {
  int threads = 0;
  double read_gb_per_second = 0;       // plain reading of memory far larger than the caches, every
                                       // node its own
  double integer_gmac_per_second = 0;  // int8 dot products between registers
  double float_gmac_per_second = 0;    // f32 fused multiply-adds between registers
};

/// Rate in GB/s at which a team reads `bytes` of memory with that home. Errors: std::bad_alloc.
double read_rate(ThreadTeam& team, const MemoryHome& home, std::size_t bytes,
                 const simd::Kernels& kernels = simd::kernels());

/// Measures with the kernels of one ISA level. Takes about a second; the machine should be
/// otherwise idle.
MachineLimits measure_limits(ThreadTeam& team, const simd::Kernels& kernels = simd::kernels());

}  // namespace leyden::runtime
