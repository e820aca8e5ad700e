#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace leyden::formats {

/// Number formats that tensors of checkpoints have on disk. Those after kBool are GGUF's: they come
/// in blocks of values that share scales. F32 to F8_E4M3 and the blocks can be read as weights.
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
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ2K,
  kQ3K,
  kQ4K,
  kQ5K,
  kQ6K,
  kIq4Nl,
  kIq4Xs,
  kMxfp4,
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

/// The type that GGUF numbers `id`, or nothing if leyden can't read it.
std::optional<TensorType> gguf_tensor_type(std::uint32_t id);

/// What to call a GGUF type in an error: "IQ2_XXS (16)" or "unknown (99)".
std::string gguf_type_name(std::uint32_t id);

}  // namespace leyden::formats
