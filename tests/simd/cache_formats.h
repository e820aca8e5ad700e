#pragma once

#include <string_view>

#include "simd/index_tile.h"
#include "simd/kv_row.h"

// The cache's number formats, for suites that run once per format.
namespace leyden::simd {

inline constexpr KvFormat kKvFormats[] = {KvFormat::kF32, KvFormat::kBf16, KvFormat::kInt8};
inline constexpr IndexFormat kIndexFormats[] = {IndexFormat::kF32, IndexFormat::kBf16,
                                                IndexFormat::kInt8};
inline constexpr std::string_view kCacheFormatNames[] = {"f32", "bf16", "int8"};

inline std::string_view name(KvFormat format) {
  return kCacheFormatNames[static_cast<int>(format)];
}
inline std::string_view name(IndexFormat format) {
  return kCacheFormatNames[static_cast<int>(format)];
}

}  // namespace leyden::simd
