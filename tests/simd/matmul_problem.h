#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string_view>
#include <vector>

#include "simd/kernels.h"

namespace leyden::simd::test {

enum class Format { kF32, kBf16, kBf16F32, kInt8, kInt4 };

inline constexpr Format kFormats[] = {Format::kF32, Format::kBf16, Format::kBf16F32, Format::kInt8,
                                      Format::kInt4};

inline std::string_view name(Format format) {
  static constexpr std::string_view kNames[] = {"f32", "bf16", "bf16_f32", "int8", "int4"};
  return kNames[static_cast<int>(format)];
}

inline constexpr std::size_t block_bytes(Format format) {
  switch (format) {
    case Format::kF32:
      return kBlockBytesF32;
    case Format::kBf16:
    case Format::kBf16F32:
      return kBlockBytesBf16;
    case Format::kInt8:
      return kBlockBytesInt8;
    case Format::kInt4:
      return kBlockBytesInt4;
  }
  return 0;
}

inline MatmulFn* matmul_of(const Kernels& k, Format format) {
  switch (format) {
    case Format::kF32:
      return k.matmul_f32;
    case Format::kBf16:
      return k.matmul_bf16;
    case Format::kBf16F32:
      return k.matmul_bf16_f32;
    case Format::kInt8:
      return k.matmul_int8;
    case Format::kInt4:
      return k.matmul_int4;
  }
  return nullptr;
}

/// Bytes that start on a cache line, as tiles and scratch must.
class AlignedBytes {
 public:
  explicit AlignedBytes(std::size_t n) : size_(n), storage_(n + kLine) {}
  std::byte* data() {
    const auto address = reinterpret_cast<std::uintptr_t>(storage_.data());
    return storage_.data() + (kLine - address % kLine) % kLine;
  }
  std::size_t size() const { return size_; }

 private:
  std::size_t size_;
  std::vector<std::byte> storage_;
};

/// A copy of some bytes with a page behind it that can't be read.
class GuardedBytes {
 public:
  GuardedBytes(const void* from, std::size_t n) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t whole = (n + page - 1) / page * page;
    size_ = whole + page;
    memory_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(static_cast<std::byte*>(memory_) + whole, page, PROT_NONE);
    data_ = static_cast<std::byte*>(memory_) + (whole - n);
    std::memcpy(data_, from, n);
  }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;
  ~GuardedBytes() { munmap(memory_, size_); }
  std::byte* data() { return data_; }

 private:
  void* memory_;
  std::byte* data_;
  std::size_t size_;
};

/// What the weights and activations of a problem look like.
enum class Values {
  kRandom,
  kZero,
  kLargest,       // every weight and activation at the positive end
  kMostNegative,  // weights at the negative end, activations alternate between both ends
  kTiny,          // floats whose products are now and then subnormal, or are themselves
  kSubnormal,     // bf16 columns with subnormal weights or activations in turn, the other large
  kJustSubnormal  // floats whose sums are the smallest normal number less 3/4 of an ulp below it
};

/// What kernels are told for speed only.
struct Hints {
  Lead lead = Lead::kL1;
  bool bf16_at_once = false;
  bool loads_are_scarce = false;
};

/// One panel and the memory behind it.
struct OwnedPanel {
  std::vector<float> x, scale;
  std::vector<std::uint16_t> bf16;
  std::vector<std::int8_t> q;
  std::vector<std::int32_t> start_int4, start_int8;
  ActivationPanel view;
};

/// A matrix of one format with panels of the given widths, all columns in use.
class MatmulProblem {
 public:
  MatmulProblem(Format format, int n_rows, int n_blocks, const std::vector<int>& widths,
                Values values, unsigned seed)
      : format_(format),
        n_rows_(n_rows),
        n_blocks_(n_blocks),
        values_(values),
        random_(seed),
        tiles_(block_bytes(format) * n_blocks * ((n_rows + kTileRows - 1) / kTileRows)),
        scratch_(kMatmulScratchBytes) {
    fill_tiles();
    fill_levels();
    panels_.resize(widths.size());
    for (std::size_t p = 0; p < widths.size(); ++p) {
      fill_panel(panels_[p], widths[p]);
      views_.push_back(panels_[p].view);
      n_tokens_ += widths[p];
    }
  }

  int n_tokens() const { return n_tokens_; }

  /// From now on nothing can be read behind the columns of the last panel.
  void guard_activations() {
    const OwnedPanel& last = panels_.back();
    guarded_q_ = std::make_unique<GuardedBytes>(last.q.data(), last.q.size());
    guarded_bf16_ = std::make_unique<GuardedBytes>(last.bf16.data(), last.bf16.size() * 2);
    views_.back().q = reinterpret_cast<const std::int8_t*>(guarded_q_->data());
    views_.back().bf16 = reinterpret_cast<const std::uint16_t*>(guarded_bf16_->data());
  }

  /// out [n_tokens, stride] where every float outside the result keeps the bits it had.
  std::vector<float> run(Isa isa, int stride, Hints hints = {}) {
    std::vector<float> out(std::size_t(n_tokens_) * stride, -12345.0f);
    MatmulArgs args;
    args.tiles = tiles_.data();
    args.n_rows = n_rows_;
    args.n_blocks = n_blocks_;
    args.levels = levels_;
    args.panels = views_.data();
    args.n_panels = static_cast<int>(views_.size());
    args.out = out.data();
    args.out_stride = stride;
    args.scratch = scratch_.data();
    args.lead = hints.lead;
    args.bf16_at_once = hints.bf16_at_once;
    args.loads_are_scarce = hints.loads_are_scarce;
    if (hints.lead != Lead::kL1) {  // reads ahead go back to the start
      args.next = tiles_.data();
      args.next_panel = views_.data();
    }
    matmul_of(kernels(isa), format_)(args);
    return out;
  }

 private:
  std::uint32_t bits() { return static_cast<std::uint32_t>(random_()); }
  float uniform() { return std::uniform_real_distribution<float>(-1, 1)(random_); }

  /// 2^-68 to 2^-57, but one in eight a number of about 2^-126.
  float tiny() {
    const int exponent =
        bits() % 8 == 0 ? -129 + static_cast<int>(bits() % 6) : -68 + static_cast<int>(bits() % 12);
    return std::ldexp(uniform(), exponent);
  }

  void fill_tiles() {
    for (std::size_t at = 0; at < tiles_.size(); at += block_bytes(format_)) {
      std::byte* block = tiles_.data() + at;
      if (format_ == Format::kInt8 || format_ == Format::kInt4) {
        fill_integer_block(block);
      } else {
        fill_float_block(block);
      }
    }
  }

  float weight(int i) {
    switch (values_) {
      case Values::kRandom:
        return uniform();
      case Values::kZero:
        return 0;
      case Values::kLargest:
        return 1e4f;
      case Values::kMostNegative:
        return -1e4f;
      case Values::kTiny:
        return tiny();
      case Values::kSubnormal:
        return i % 2 == 0 ? 0x1p-128f : 0x1p60f;
      case Values::kJustSubnormal:
        return 0x1p-76f;
    }
    return 0;
  }

  void fill_float_block(std::byte* block) {
    for (int i = 0; i < kTileRows * kBlock; ++i) {
      const float w = weight(i);
      if (format_ == Format::kF32) {
        std::memcpy(block + i * 4, &w, 4);
      } else {
        std::memcpy(block + i * 2, reinterpret_cast<const std::byte*>(&w) + 2, 2);
      }
    }
  }

  void fill_integer_block(std::byte* block) {
    for (int i = 0; i < kGroupsPerBlock * kTileRows; ++i) {
      // fp16 of either sign, 2^-15 to 2, subnormals among them when the exponent is zero
      std::uint16_t scale = static_cast<std::uint16_t>((bits() & 0x83ff) | bits() % 17 << 10);
      if (values_ == Values::kZero) scale = 0;
      if (values_ == Values::kLargest || values_ == Values::kMostNegative) scale = 0x7bff;  // 65504
      std::memcpy(block + i * 2, &scale, 2);
    }
    for (std::size_t i = kBlockScaleBytes; i < block_bytes(format_); ++i) {
      int byte = static_cast<int>(bits() & 0xff);
      const bool is_int8 = format_ == Format::kInt8;
      if (is_int8 && byte == 0) byte = 1;  // -128 isn't a weight
      if (values_ == Values::kZero) byte = is_int8 ? kInt8Offset : 0x77;
      if (values_ == Values::kLargest) byte = 0xff;
      if (values_ == Values::kMostNegative) byte = is_int8 ? 1 : 0;
      block[i] = static_cast<std::byte>(byte);
    }
  }

  void fill_levels() {
    for (int i = 0; i < kInt4Levels; ++i) {
      levels_[i] = static_cast<std::uint8_t>(i == 0 ? 0 : i == 15 ? 127 : bits() % 128);
    }
  }

  float activation(int k) {
    switch (values_) {
      case Values::kRandom:
        return uniform();
      case Values::kZero:
        return 0;
      case Values::kLargest:
        return 1e3f;
      case Values::kMostNegative:
        return k % 2 == 0 ? 1e3f : -1e3f;
      case Values::kTiny:
        return tiny();
      case Values::kSubnormal:
        return k % 2 == 0 ? 0x1p60f : 0x1p-128f;
      case Values::kJustSubnormal:
        return k / 2 % 2 == 0 ? 0x1p-50f : -0x1.8p-75f;
    }
    return 0;
  }

  void fill_panel(OwnedPanel& panel, int width) {
    const std::size_t cells = std::size_t(n_blocks_) * width;
    panel.x.resize(cells * kBlock);
    panel.bf16.resize(cells * kBlock);
    panel.q.resize(cells * kBlock);
    panel.scale.resize(cells);
    panel.start_int4.resize(cells * kGroupsPerBlock);
    panel.start_int8.resize(cells * kGroupsPerBlock);
    std::vector<float> row(std::size_t(n_blocks_) * kBlock);
    for (int t = 0; t < width; ++t) {
      for (std::size_t k = 0; k < row.size(); ++k) row[k] = activation(static_cast<int>(k));
      scalar::quantize_row(row.data(), static_cast<int>(row.size()),
                           {panel.x.data() + std::ptrdiff_t{t} * kBlock,
                            panel.bf16.data() + std::ptrdiff_t{t} * kBlock,
                            panel.q.data() + std::ptrdiff_t{t} * kBlock, panel.scale.data() + t,
                            panel.start_int4.data() + t * kGroupsPerBlock,
                            panel.start_int8.data() + t * kGroupsPerBlock, width});
    }
    panel.view = {
        panel.x.data(),          panel.bf16.data(),       panel.q.data(), panel.scale.data(),
        panel.start_int4.data(), panel.start_int8.data(), width};
  }

  Format format_;
  int n_rows_, n_blocks_, n_tokens_ = 0;
  Values values_;
  std::mt19937 random_;
  AlignedBytes tiles_, scratch_;
  std::uint8_t levels_[kInt4Levels];
  std::vector<OwnedPanel> panels_;
  std::vector<ActivationPanel> views_;
  std::unique_ptr<GuardedBytes> guarded_q_, guarded_bf16_;
};

}  // namespace leyden::simd::test
