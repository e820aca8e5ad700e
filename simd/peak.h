#pragma once

#include <cstddef>
#include <cstdint>

#include "simd/isa.h"

/// What a core can do at most, as yardsticks for everything else (leyden machine, leyden bench).
namespace leyden::simd {

/// Reads `bytes` (a multiple of 256) from 64-byte aligned `data`, as this CPU does it fastest, and
/// does next to nothing with them: in ascending order, asking for lines ahead as the matrix kernels
/// do, because hardware prefetchers may stop at every 4 KiB; or, with Lead::kTwoRuns, both halves
/// side by side without asking. Returns a value that depends on all of them.
using ReadAllFn = std::uint64_t(const std::byte* data, std::size_t bytes, Lead lead) noexcept;

/// Does `rounds` rounds of independent integer dot products between registers, in the form the
/// matrix kernels of this level use (vpdpbusd, or vpmaddubsw and vpmaddwd), and returns how many
/// multiply-accumulates a round has. *sink takes a value, so that nothing can be left out.
using IntegerPeakFn = std::int64_t(std::int64_t rounds, std::int32_t* sink) noexcept;

/// The same for fused multiply-adds of f32, which f32 and bf16 weights use.
using FloatPeakFn = std::int64_t(std::int64_t rounds, float* sink) noexcept;

}  // namespace leyden::simd
