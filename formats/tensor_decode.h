#pragma once

#include <cstddef>
#include <span>

#include "formats/tensor_type.h"

namespace leyden::formats {

/// Whether decode_values() knows the type: all that stand for real numbers by themselves. F8_E4M3
/// isn't among them, because its scales lie elsewhere.
bool can_decode(TensorType type);

/// The values that `from`, a whole number of blocks, stands for; exact (every value is a binary32,
/// or rounded once where the format has a minimum to add). `to` holds them all.
/// Requires can_decode(type). Errors: none; NaN and infinities come out as such.
void decode_values(TensorType type, std::span<const std::byte> from, float* to) noexcept;

}  // namespace leyden::formats
