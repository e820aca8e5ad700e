#include "formats/compression.h"

#include <zstd.h>

#include <new>

namespace leyden::formats {

Compressor::Compressor(int level)
    : context_(ZSTD_createCCtx(), [](void* c) { ZSTD_freeCCtx(static_cast<ZSTD_CCtx*>(c)); }),
      level_(level) {
  if (!context_) throw std::bad_alloc();
}

std::span<const std::byte> Compressor::compress(std::span<const std::byte> bytes) {
  frame_.resize(ZSTD_compressBound(bytes.size()));
  const std::size_t n = ZSTD_compressCCtx(static_cast<ZSTD_CCtx*>(context_.get()), frame_.data(),
                                          frame_.size(), bytes.data(), bytes.size(), level_);
  if (ZSTD_isError(n) != 0) throw std::bad_alloc();  // with a bound's room, the only reason
  return std::span(frame_).first(n);
}

unsigned Compressor::version() { return ZSTD_versionNumber(); }

Decompressor::Decompressor()
    : context_(ZSTD_createDCtx(), [](void* c) { ZSTD_freeDCtx(static_cast<ZSTD_DCtx*>(c)); }) {
  if (!context_) throw std::bad_alloc();
}

bool Decompressor::decompress(std::span<const std::byte> frame, std::span<std::byte> bytes) {
  const std::size_t n = ZSTD_decompressDCtx(static_cast<ZSTD_DCtx*>(context_.get()), bytes.data(),
                                            bytes.size(), frame.data(), frame.size());
  return n == bytes.size();  // an error is a number beyond any size
}

std::size_t Decompressor::bound(std::size_t bytes) { return ZSTD_compressBound(bytes); }

}  // namespace leyden::formats
