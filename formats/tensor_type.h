#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace leyden::formats {

/// Number formats that tensors of checkpoints have on disk. Those after kBool come in blocks of
/// values that share scales (GGUF); only F32 to F8_E4M3 and the blocks can be read as weights.
enum class TensorType : std::uint8_t {
  kF32,
  kF16,
  kBf16,
  kF8E4m3,
  kF8E5m2,
  kF64,
  kI64,
  kI32,
  kI16,
  kI8,
  kU64,
  kU32,
  kU16,
  kU8,
  kBool,
};

/// How a type is called in its file, and how its values lie together.
struct TensorTypeInfo {
  TensorType type;
  std::string_view name;
  int block_values;
  int block_bytes;
};

const TensorTypeInfo& info(TensorType type);

/// "BF16", "Q4_K", ...
inline std::string_view name(TensorType type) { return info(type).name; }

/// The type a safetensors header calls `name`, or nothing.
std::optional<TensorType> tensor_type_named(std::string_view name);

}  // namespace leyden::formats
