#include "simd/kv_row.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "tests/simd/cache_formats.h"
#include "tests/simd/every_isa.h"

namespace leyden::simd::test {
namespace {

struct RowKernels {
  KvStoreFn* store;
  KvLoadFn* load;
};

RowKernels row_kernels(Isa isa, KvFormat format) {
  const Kernels& k = kernels(isa);
  switch (format) {
    case KvFormat::kF32:
      return {k.kv_store_f32, k.kv_load_f32};
    case KvFormat::kBf16:
      return {k.kv_store_bf16, k.kv_load_bf16};
    case KvFormat::kInt8:
      return {k.kv_store_int8, k.kv_load_int8};
  }
  return {};
}

struct Widths {
  int latents, rope;
};
constexpr Widths kWidths[] = {{512, 64}, {1, 1}, {15, 3}, {17, 16}, {127, 2}, {129, 8}, {130, 64}};

std::vector<float> random_values(int n, unsigned seed) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> x(static_cast<std::size_t>(n));
  for (float& v : x) v = normal(rng);
  return x;
}

class KvRowTest : public EveryIsaAndFormat<KvFormat> {
 protected:
  /// The row's bytes; what the kernel leaves untouched stays 0x55.
  std::vector<std::byte> stored(Isa level, Widths w, const std::vector<float>& x) const {
    std::vector<std::byte> row(kv_row_bytes(format(), w.latents, w.rope), std::byte{0x55});
    row_kernels(level, format())
        .store(x.data(), x.data() + w.latents, w.latents, w.rope, row.data());
    return row;
  }
  std::vector<float> loaded(Isa level, Widths w, const std::vector<std::byte>& row) const {
    std::vector<float> x(static_cast<std::size_t>(w.latents + w.rope));
    row_kernels(level, format()).load(row.data(), w.latents, w.rope, x.data());
    return x;
  }
};

TEST_P(KvRowTest, StoresAndLoadsTheReferenceBits) {
  for (const Widths w : kWidths) {
    std::vector<float> x = random_values(w.latents + w.rope, /*seed=*/5);
    x[0] = 0x1.0100p+0f;    // halfway between two bf16: down to the even one
    x.back() = 0x1.03p+0f;  // halfway: up to the even one
    const auto row = stored(isa(), w, x);
    EXPECT_EQ(row, stored(Isa::kScalar, w, x)) << w.latents << " + " << w.rope;
    EXPECT_EQ(loaded(isa(), w, row), loaded(Isa::kScalar, w, row)) << w.latents << " + " << w.rope;
  }
}

TEST_P(KvRowTest, ReturnsWhatWasStoredWithinTheFormatsPrecision) {
  const Widths w{512, 64};
  const std::vector<float> x = random_values(w.latents + w.rope, /*seed=*/6);
  const std::vector<float> back = loaded(isa(), w, stored(isa(), w, x));
  for (int i = 0; i < w.latents + w.rope; ++i) {
    const bool is_code = format() == KvFormat::kInt8 && i < w.latents;
    float tolerance = 0;
    if (is_code) {
      float largest = 0;
      for (int j = i / kKvGroup * kKvGroup; j < (i / kKvGroup + 1) * kKvGroup; ++j) {
        largest = std::max(largest, std::fabs(x[static_cast<std::size_t>(j)]));
      }
      tolerance = largest / 127 * 0.5001f;  // half a step
    } else if (format() != KvFormat::kF32) {
      tolerance = std::fabs(x[static_cast<std::size_t>(i)]) / 256;  // half of 8 bits' last place
    }
    EXPECT_NEAR(back[static_cast<std::size_t>(i)], x[static_cast<std::size_t>(i)], tolerance) << i;
  }
}

TEST_P(KvRowTest, KeepsZerosSubnormalsAndNotANumber) {
  const Widths w{32, 16};
  std::vector<float> x(48, 0.0f);
  EXPECT_EQ(loaded(isa(), w, stored(isa(), w, x)), x);
  x[40] = 0x1p-130f;  // a bf16 subnormal, kept by every format: the key is never int8
  x[41] = std::numeric_limits<float>::quiet_NaN();
  x[42] = -std::numeric_limits<float>::infinity();
  const std::vector<float> back = loaded(isa(), w, stored(isa(), w, x));
  EXPECT_EQ(back[40], x[40]);
  EXPECT_TRUE(std::isnan(back[41]));
  EXPECT_EQ(back[42], x[42]);

  for (const float bad : {x[41], x[42], -x[42]}) {  // a latent: never a number again
    x[17] = bad;
    EXPECT_FALSE(std::isfinite(loaded(isa(), w, stored(isa(), w, x))[17])) << bad;
  }
}

LEYDEN_FOR_EVERY_ISA_AND_FORMAT(KvRowTest, kKvFormats);

TEST(KvRow, TakesWholeLines) {
  EXPECT_EQ(kv_row_bytes(KvFormat::kF32, 512, 64), 2304u);
  EXPECT_EQ(kv_row_bytes(KvFormat::kBf16, 512, 64), 1152u);
  EXPECT_EQ(kv_row_bytes(KvFormat::kInt8, 512, 64), 704u);  // 512 + 4 * 4 + 64 * 2 = 656
  EXPECT_EQ(kv_row_bytes(KvFormat::kInt8, 1, 1), 64u);
}

}  // namespace
}  // namespace leyden::simd::test
