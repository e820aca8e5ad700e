#pragma once

#include <cstddef>
#include <cstdint>

#include "simd/vec.h"

// The sizes of AMX's eight tile registers, each of up to 16 rows of 64 bytes (Intel SDM vol. 1,
// 18). For kernels of the level amx only.
namespace leyden::simd::LEYDEN_ISA {
namespace {

constexpr int kAmxRows = 16;
constexpr int kAmxRowBytes = 64;
constexpr std::ptrdiff_t kAmxBytes = std::ptrdiff_t{kAmxRows} * kAmxRowBytes;

/// The shapes of the registers (SDM vol. 2, LDTILECFG), all of them whole to begin with.
struct alignas(kLine) AmxShapes {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};

  LEYDEN_INLINE AmxShapes whole() {
    AmxShapes shapes;
    for (int i = 0; i < 8; ++i) {
      shapes.row_bytes[i] = kAmxRowBytes;
      shapes.rows[i] = kAmxRows;
    }
    return shapes;
  }
};
static_assert(sizeof(AmxShapes) == 64);

}  // namespace
}  // namespace leyden::simd::LEYDEN_ISA
