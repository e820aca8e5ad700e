#include "formats/tensor_decode.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "formats/gguf_blocks.h"
#include "quant/number.h"

namespace leyden::formats {
namespace {

/// Decodes 16-bit codes that need not be aligned.
template <void decode(std::span<const std::uint16_t>, float*) noexcept>
void decode_codes(std::span<const std::byte> from, float* to) noexcept {
  constexpr std::size_t kBatch = 512;
  std::uint16_t codes[kBatch];
  for (std::size_t done = 0; done < from.size() / 2; done += kBatch) {
    const std::size_t n = std::min(kBatch, from.size() / 2 - done);
    std::memcpy(codes, from.data() + 2 * done, 2 * n);
    decode({codes, n}, to + done);
  }
}

}  // namespace

bool can_decode(TensorType type) {
  return type == TensorType::kF32 || type == TensorType::kF16 || type == TensorType::kBf16 ||
         block_decoder(type) != nullptr;
}

void decode_values(TensorType type, std::span<const std::byte> from, float* to) noexcept {
  if (type == TensorType::kF32) std::memcpy(to, from.data(), from.size());
  if (type == TensorType::kF16) decode_codes<quant::fp16_to_f32>(from, to);
  if (type == TensorType::kBf16) decode_codes<quant::bf16_to_f32>(from, to);
  const BlockDecoder decode = block_decoder(type);
  if (decode == nullptr) return;
  const auto* block = reinterpret_cast<const std::uint8_t*>(from.data());
  const std::uint8_t* end = block + from.size();
  for (; block != end; block += info(type).block_bytes, to += info(type).block_values) {
    decode(block, to);
  }
}

}  // namespace leyden::formats
