#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace leyden::formats {

/// Makes zstd frames, each on its own. Keeps its buffers, so every thread wants its own.
class Compressor {
 public:
  /// level: zstd's, from -7 (fast) to 19 (small).
  explicit Compressor(int level);

  /// The frame of some bytes, valid until the next call. Throws std::bad_alloc.
  std::span<const std::byte> compress(std::span<const std::byte> bytes);

  /// zstd's: another one may make other frames of the same bytes.
  static unsigned version();

 private:
  std::unique_ptr<void, void (*)(void*)> context_;
  int level_;
  std::vector<std::byte> frame_;
};

/// Reads such frames; every thread wants its own.
class Decompressor {
 public:
  Decompressor();

  /// Fills `bytes` from a frame. False, with anything in `bytes`, if it isn't one frame of exactly
  /// so many bytes; nothing is written behind them whatever the frame says.
  bool decompress(std::span<const std::byte> frame, std::span<std::byte> bytes);

  /// Bytes that the frame of so many can have at most.
  static std::size_t bound(std::size_t bytes);

 private:
  std::unique_ptr<void, void (*)(void*)> context_;
};

}  // namespace leyden::formats
