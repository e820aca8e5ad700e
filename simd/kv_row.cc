#include "simd/kv_row.h"

#include "simd/layout.h"

namespace leyden::simd {

std::size_t kv_row_bytes(KvFormat format, int kv_lora_rank, int rope_dim) {
  const auto latents = static_cast<std::size_t>(kv_lora_rank);
  const auto keys = static_cast<std::size_t>(rope_dim);
  std::size_t bytes = 0;
  switch (format) {
    case KvFormat::kF32:
      bytes = (latents + keys) * 4;
      break;
    case KvFormat::kBf16:
      bytes = (latents + keys) * 2;
      break;
    case KvFormat::kInt8:
      bytes = (latents + 3) / 4 * 4 + (latents + kKvGroup - 1) / kKvGroup * 4 + keys * 2;
      break;
  }
  return (bytes + kLine - 1) / kLine * kLine;
}

}  // namespace leyden::simd
