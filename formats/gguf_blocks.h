#pragma once

#include <cstdint>

#include "formats/tensor_type.h"

namespace leyden::formats {

/// Decodes one block of a GGUF type: block_bytes in, block_values out (info(type)).
///
/// With d and m the block's fp16 scale and minimum, q a value's code, s and t its group's scale and
/// minimum (docs/gguf.md), the values are
///   d q (Q4_0, Q5_0, Q8_0, Q3_K, Q6_K times s),   d q + m (Q4_1, Q5_1),
///   d s q - m t (Q2_K, Q4_K, Q5_K),               d s T[q] (IQ4_NL, IQ4_XS),
///   2^(e - 128) E[q] (MXFP4).
/// Exact: every product fits into a binary32; where a minimum is added, that rounds once.
using BlockDecoder = void (*)(const std::uint8_t* block, float* to) noexcept;

/// The decoder of a type that has blocks, null for the others.
BlockDecoder block_decoder(TensorType type);

}  // namespace leyden::formats
