#include "quant/group_codes.h"

#include <cassert>
#include <cstring>

namespace leyden::quant {
namespace {

/// Where one group of one row lies (simd/layout.h).
struct Place {
  std::size_t scale;       // byte of the fp16 scale in the tile
  std::size_t first_quad;  // byte of columns 0..3 (int4: and, in the high nibbles, of 4..7)
};

constexpr std::size_t kQuadStride = std::size_t{simd::kTileRows} * 4;

Place find(WeightFormat format, int row, int group) {
  assert(format == WeightFormat::kInt8 || format == WeightFormat::kInt4);
  const auto block = static_cast<std::size_t>(group / simd::kGroupsPerBlock);
  const auto part = static_cast<std::size_t>(group % simd::kGroupsPerBlock);
  const auto lane = static_cast<std::size_t>(row);
  const std::size_t base = block * block_bytes(format);
  const std::size_t lines = format == WeightFormat::kInt8 ? 8 : 4;  // of 64 bytes per group
  return {.scale = base + (part * simd::kTileRows + lane) * 2,
          .first_quad = base + simd::kBlockScaleBytes + part * lines * kQuadStride + lane * 4};
}

}  // namespace

GroupCodes read_group(WeightFormat format, const std::byte* tile, int row, int group) noexcept {
  const Place place = find(format, row, group);
  GroupCodes codes;
  std::memcpy(&codes.scale, tile + place.scale, sizeof codes.scale);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(tile) + place.first_quad;
  for (std::size_t k = 0; k < codes.code.size(); ++k) {
    const std::size_t quad = k / 4;
    codes.code[k] = format == WeightFormat::kInt8
                        ? bytes[quad * kQuadStride + k % 4]
                        : bytes[quad / 2 * kQuadStride + k % 4] >> (quad % 2 * 4) & 15;
  }
  return codes;
}

void write_group(WeightFormat format, const GroupCodes& codes, int row, int group,
                 std::byte* tile) noexcept {
  const Place place = find(format, row, group);
  std::memcpy(tile + place.scale, &codes.scale, sizeof codes.scale);
  auto* bytes = reinterpret_cast<std::uint8_t*>(tile) + place.first_quad;
  for (std::size_t k = 0; k < codes.code.size(); ++k) {
    const std::size_t quad = k / 4;
    if (format == WeightFormat::kInt8) {
      bytes[quad * kQuadStride + k % 4] = codes.code[k];
    } else {
      std::uint8_t& pair = bytes[quad / 2 * kQuadStride + k % 4];
      pair = static_cast<std::uint8_t>(quad % 2 == 0 ? (pair & 0xf0) | codes.code[k]
                                                     : (pair & 0x0f) | codes.code[k] << 4);
    }
  }
}

}  // namespace leyden::quant
