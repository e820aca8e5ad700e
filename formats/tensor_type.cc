#include "formats/tensor_type.h"

#include <array>

namespace leyden::formats {
namespace {

// In the order of the enum.
constexpr std::array kTypes{
    TensorTypeInfo{TensorType::kF32, "F32", 1, 4},
    TensorTypeInfo{TensorType::kF16, "F16", 1, 2},
    TensorTypeInfo{TensorType::kBf16, "BF16", 1, 2},
    TensorTypeInfo{TensorType::kF8E4m3, "F8_E4M3", 1, 1},
    TensorTypeInfo{TensorType::kF8E5m2, "F8_E5M2", 1, 1},
    TensorTypeInfo{TensorType::kF64, "F64", 1, 8},
    TensorTypeInfo{TensorType::kI64, "I64", 1, 8},
    TensorTypeInfo{TensorType::kI32, "I32", 1, 4},
    TensorTypeInfo{TensorType::kI16, "I16", 1, 2},
    TensorTypeInfo{TensorType::kI8, "I8", 1, 1},
    TensorTypeInfo{TensorType::kU64, "U64", 1, 8},
    TensorTypeInfo{TensorType::kU32, "U32", 1, 4},
    TensorTypeInfo{TensorType::kU16, "U16", 1, 2},
    TensorTypeInfo{TensorType::kU8, "U8", 1, 1},
    TensorTypeInfo{TensorType::kBool, "BOOL", 1, 1},
};

}  // namespace

const TensorTypeInfo& info(TensorType type) { return kTypes[static_cast<std::size_t>(type)]; }

std::optional<TensorType> tensor_type_named(std::string_view name) {
  for (const TensorTypeInfo& row : kTypes) {
    if (row.name == name) return row.type;
  }
  return std::nullopt;
}

}  // namespace leyden::formats
