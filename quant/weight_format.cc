#include "quant/weight_format.h"

#include <array>
#include <limits>
#include <stdexcept>
#include <string>

namespace leyden::quant {
namespace {

struct FormatFacts {
  WeightFormat format;
  std::string_view name;
  std::size_t block_bytes;
  std::size_t prefix_bytes;
};

constexpr std::array<FormatFacts, 4> kFormats = {{
    {WeightFormat::kF32, "f32", simd::kBlockBytesF32, 0},
    {WeightFormat::kBf16, "bf16", simd::kBlockBytesBf16, 0},
    {WeightFormat::kInt8, "int8", simd::kBlockBytesInt8, 0},
    {WeightFormat::kInt4, "int4", simd::kBlockBytesInt4, simd::kLine},
}};

const FormatFacts& facts(WeightFormat format) {
  return kFormats.at(static_cast<std::size_t>(format));
}

constexpr std::size_t kMaxBytes = std::size_t{1} << 62;
constexpr std::int64_t kMaxSide = std::numeric_limits<std::int32_t>::max();

bool is_side(std::int64_t n) { return n > 0 && n <= kMaxSide; }

[[noreturn]] void refuse(WeightFormat format, std::int64_t count, std::int64_t rows,
                         std::int64_t cols) {
  throw std::length_error(std::to_string(count) + " " + std::string(name(format)) +
                          " matrices of shape [" + std::to_string(rows) + ", " +
                          std::to_string(cols) +
                          "]: rows and columns must lie in 1 ... 2^31 - 1, the count in 1 ..., "
                          "and all take at most 2^62 bytes");
}

/// a * b, or kMaxBytes + 1 when that is larger than kMaxBytes.
std::size_t capped_product(std::size_t a, std::size_t b) {
  std::size_t product = 0;
  const bool overflow = __builtin_mul_overflow(a, b, &product);
  return overflow || product > kMaxBytes ? kMaxBytes + 1 : product;
}

std::size_t ceil_div(std::int64_t a, int b) {
  return static_cast<std::size_t>(a / b + (a % b != 0));
}

}  // namespace

std::string_view name(WeightFormat format) { return facts(format).name; }

std::optional<WeightFormat> weight_format_named(std::string_view name) {
  for (const FormatFacts& f : kFormats) {
    if (f.name == name) return f.format;
  }
  return std::nullopt;
}

std::size_t block_bytes(WeightFormat format) { return facts(format).block_bytes; }

std::size_t prefix_bytes(WeightFormat format) { return facts(format).prefix_bytes; }

double bits_per_weight(WeightFormat format) {
  constexpr double kBlockWeights = simd::kTileRows * simd::kBlock;
  return 8.0 * static_cast<double>(block_bytes(format)) / kBlockWeights;
}

std::size_t stack_bytes(WeightFormat format, std::int64_t count, std::int64_t rows,
                        std::int64_t cols) {
  if (count <= 0 || !is_side(rows) || !is_side(cols)) refuse(format, count, rows, cols);
  const std::size_t blocks =
      capped_product(ceil_div(rows, simd::kTileRows), ceil_div(cols, simd::kBlock));
  const std::size_t tiles = capped_product(blocks, block_bytes(format));
  const std::size_t bytes =
      capped_product(tiles + prefix_bytes(format), static_cast<std::size_t>(count));
  if (bytes > kMaxBytes) refuse(format, count, rows, cols);
  return bytes;
}

std::size_t matrix_bytes(WeightFormat format, std::int64_t rows, std::int64_t cols) {
  return stack_bytes(format, 1, rows, cols);
}

std::size_t rows_bytes(WeightFormat format, std::int64_t rows, std::int64_t cols) {
  if (format != WeightFormat::kF32 && format != WeightFormat::kBf16) {
    throw std::invalid_argument("row-major matrices are f32 or bf16, not " +
                                std::string(name(format)));
  }
  if (!is_side(rows) || !is_side(cols)) refuse(format, 1, rows, cols);
  const std::size_t weights =
      capped_product(static_cast<std::size_t>(rows), static_cast<std::size_t>(cols));
  const std::size_t bytes = capped_product(weights, format == WeightFormat::kBf16 ? 2 : 4);
  if (bytes > kMaxBytes) refuse(format, 1, rows, cols);
  return (bytes + simd::kLine - 1) / simd::kLine * simd::kLine;
}

MatrixStack matrix_stack(WeightFormat format, std::int64_t count, std::int64_t rows,
                         std::int64_t cols, const std::byte* data) {
  stack_bytes(format, count, rows, cols);
  return {.count = count,
          .first = {.format = format, .rows = rows, .cols = cols, .data = data},
          .stride_bytes = matrix_bytes(format, rows, cols)};
}

}  // namespace leyden::quant
