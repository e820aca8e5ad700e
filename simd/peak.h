#pragma once

#include <cstddef>
#include <cstdint>

/// What a core can do at most, as yardsticks for everything else (leyden machine, leyden bench).
namespace leyden::simd {

/// Reads `bytes` (a multiple of 256) from 64-byte aligned `data`, in ascending order, and does next
/// to nothing with them. Asks for lines ahead, as the matrix kernels do: hardware prefetchers stop
/// at every 4 KiB, and the yardstick has to be the faster way of reading. Returns a value that
/// depends on all of them.
using ReadAllFn = std::uint64_t(const std::byte* data, std::size_t bytes) noexcept;

/// Does `rounds` rounds of independent integer dot products between registers, in the form the
/// matrix kernels of this level use (vpdpbusd, or vpmaddubsw and vpmaddwd), and returns how many
/// multiply-accumulates a round has. *sink takes a value, so that nothing can be left out.
using IntegerPeakFn = std::int64_t(std::int64_t rounds, std::int32_t* sink) noexcept;

/// The same for fused multiply-adds of f32, which f32 and bf16 weights use.
using FloatPeakFn = std::int64_t(std::int64_t rounds, float* sink) noexcept;

}  // namespace leyden::simd
