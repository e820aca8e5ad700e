#include "formats/tensor_type.h"

#include <fmt/format.h>

#include <algorithm>
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
    TensorTypeInfo{TensorType::kQ4_0, "Q4_0", 32, 18},
    TensorTypeInfo{TensorType::kQ4_1, "Q4_1", 32, 20},
    TensorTypeInfo{TensorType::kQ5_0, "Q5_0", 32, 22},
    TensorTypeInfo{TensorType::kQ5_1, "Q5_1", 32, 24},
    TensorTypeInfo{TensorType::kQ8_0, "Q8_0", 32, 34},
    TensorTypeInfo{TensorType::kQ2K, "Q2_K", 256, 84},
    TensorTypeInfo{TensorType::kQ3K, "Q3_K", 256, 110},
    TensorTypeInfo{TensorType::kQ4K, "Q4_K", 256, 144},
    TensorTypeInfo{TensorType::kQ5K, "Q5_K", 256, 176},
    TensorTypeInfo{TensorType::kQ6K, "Q6_K", 256, 210},
    TensorTypeInfo{TensorType::kIq4Nl, "IQ4_NL", 32, 18},
    TensorTypeInfo{TensorType::kIq4Xs, "IQ4_XS", 256, 136},
    TensorTypeInfo{TensorType::kMxfp4, "MXFP4", 32, 17},
};

/// GGUF's numbers for types (gguf README, section 5); no type where leyden can't read it.
struct GgufType {
  std::uint32_t id;
  std::string_view name;
  std::optional<TensorType> type;
};

constexpr std::array kGgufTypes{
    GgufType{0, "F32", TensorType::kF32},
    GgufType{1, "F16", TensorType::kF16},
    GgufType{2, "Q4_0", TensorType::kQ4_0},
    GgufType{3, "Q4_1", TensorType::kQ4_1},
    GgufType{4, "Q4_2", {}},
    GgufType{5, "Q4_3", {}},
    GgufType{6, "Q5_0", TensorType::kQ5_0},
    GgufType{7, "Q5_1", TensorType::kQ5_1},
    GgufType{8, "Q8_0", TensorType::kQ8_0},
    GgufType{9, "Q8_1", {}},
    GgufType{10, "Q2_K", TensorType::kQ2K},
    GgufType{11, "Q3_K", TensorType::kQ3K},
    GgufType{12, "Q4_K", TensorType::kQ4K},
    GgufType{13, "Q5_K", TensorType::kQ5K},
    GgufType{14, "Q6_K", TensorType::kQ6K},
    GgufType{15, "Q8_K", {}},
    GgufType{16, "IQ2_XXS", {}},
    GgufType{17, "IQ2_XS", {}},
    GgufType{18, "IQ3_XXS", {}},
    GgufType{19, "IQ1_S", {}},
    GgufType{20, "IQ4_NL", TensorType::kIq4Nl},
    GgufType{21, "IQ3_S", {}},
    GgufType{22, "IQ2_S", {}},
    GgufType{23, "IQ4_XS", TensorType::kIq4Xs},
    GgufType{24, "I8", {}},
    GgufType{25, "I16", {}},
    GgufType{26, "I32", {}},
    GgufType{27, "I64", {}},
    GgufType{28, "F64", {}},
    GgufType{29, "IQ1_M", {}},
    GgufType{30, "BF16", TensorType::kBf16},
    GgufType{34, "TQ1_0", {}},
    GgufType{35, "TQ2_0", {}},
    GgufType{39, "MXFP4", TensorType::kMxfp4},
    GgufType{40, "NVFP4", {}},
};

const GgufType* find_gguf_type(std::uint32_t id) {
  const auto found = std::find_if(kGgufTypes.begin(), kGgufTypes.end(),
                                  [id](const GgufType& row) { return row.id == id; });
  return found == kGgufTypes.end() ? nullptr : &*found;
}

}  // namespace

const TensorTypeInfo& info(TensorType type) { return kTypes[static_cast<std::size_t>(type)]; }

std::optional<TensorType> tensor_type_named(std::string_view name) {
  for (const TensorTypeInfo& row : kTypes) {
    if (row.name == name && row.block_values == 1) return row.type;
  }
  return std::nullopt;
}

std::optional<TensorType> gguf_tensor_type(std::uint32_t id) {
  const GgufType* row = find_gguf_type(id);
  return row == nullptr ? std::nullopt : row->type;
}

std::string gguf_type_name(std::uint32_t id) {
  const GgufType* row = find_gguf_type(id);
  return fmt::format("{} ({})", row == nullptr ? "unknown" : row->name, id);
}

}  // namespace leyden::formats
