#pragma once

#include <cstddef>
#include <cstdint>

/// The shapes that kernels and packed weights agree on. Plain constants: no function here, because
/// kernel sources compiled for one ISA must not emit shared inline code (see docs/design.md).
namespace leyden::simd {

/// Rows of a weight tile: one AVX-512 lane, or half of two AVX2 registers, per output row.
constexpr int kTileRows = 16;
/// Columns that share one weight scale per row.
constexpr int kGroup = 32;
/// Columns of a block: the unit of packed weights and of activation scales. Widths are zero-padded
/// to whole blocks.
constexpr int kBlock = 128;
constexpr int kGroupsPerBlock = kBlock / kGroup;
/// Bytes of a cache line, of a ZMM register and of the alignment of every packed tile.
constexpr int kLine = 64;

/// Bytes of one block of a tile (16 rows x 128 columns).
///   f32  [128 columns][16 rows] f32
///   bf16 [64 column pairs][16 rows][2 columns] bf16
///   int8 [4 groups][16 rows] fp16 scales, then [32 column quads][16 rows][4 columns] u8 = w + 128
///   int4 [4 groups][16 rows] fp16 scales, then [16 quad pairs][16 rows][4 columns] bytes whose low
///        nibble is column 4 * (2 * pair) + c, whose high nibble is column 4 * (2 * pair + 1) + c;
///        each nibble is an index into the matrix' 16 levels
constexpr std::size_t kBlockBytesF32 = std::size_t{kTileRows} * kBlock * 4;
constexpr std::size_t kBlockBytesBf16 = std::size_t{kTileRows} * kBlock * 2;
constexpr std::size_t kBlockScaleBytes = std::size_t{kGroupsPerBlock} * kTileRows * 2;
constexpr std::size_t kBlockBytesInt8 = kBlockScaleBytes + std::size_t{kTileRows} * kBlock;
constexpr std::size_t kBlockBytesInt4 = kBlockScaleBytes + std::size_t{kTileRows} * kBlock / 2;

/// Stored weights are unsigned: an int8 weight w is the byte w + 128; an int4 level v in [-64, 63]
/// is the byte v + 64, so that AVX2's saturating vpmaddubsw can't saturate.
constexpr int kInt8Offset = 128;
constexpr int kInt4Offset = 64;
constexpr int kInt4Levels = 16;

/// The integer dot product i of a group is accumulated on top of the bits of the float 1.5 * 2^23.
/// Read as a float, the sum then is exactly 1.5 * 2^23 + i, because |i| <= 32 * 127 * 127 < 2^22:
/// the conversion from integer costs no instruction.
constexpr float kFloatBias = 12582912.0f;
constexpr std::int32_t kFloatBiasBits = 0x4b400000;

/// Tokens of one activation panel at most. What a weight costs to unpack is shared by a panel's
/// tokens; the activations of 64 tokens of 7168 columns still fit into a second-level cache.
constexpr int kPanelTokens = 64;

}  // namespace leyden::simd
