#include "simd/index_tile.h"

#include "simd/layout.h"

namespace leyden::simd {

std::size_t index_tile_bytes(IndexFormat format, int dim) {
  const std::size_t values = static_cast<std::size_t>(dim) * kTileRows;
  switch (format) {
    case IndexFormat::kF32:
      return values * 4;
    case IndexFormat::kBf16:
      return values * 2;
    case IndexFormat::kInt8:
      return values + kTileRows * sizeof(float);
  }
  return 0;
}

}  // namespace leyden::simd
