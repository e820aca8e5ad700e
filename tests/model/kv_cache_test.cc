#include "src/model/kv_cache.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <stdexcept>

#include "src/model/synthetic.h"
#include "tests/model/golden.h"

namespace leyden::model {
namespace {

formats::ModelConfig tiny_config() {
  return formats::Checkpoint::open(golden_checkpoint("v32-tiny-fp8"))->config();
}

std::vector<std::byte> bytes_of(const KvCache& cache, int page, int layer, std::int32_t n) {
  std::vector<std::byte> bytes(cache.layer_bytes());
  cache.copy_layer(page, layer, n, bytes.data());
  return bytes;
}

TEST(KvCache, CopiesOfALayerHaveZerosBehindTheirTokens) {
  const formats::ModelConfig config = tiny_config();
  runtime::ThreadTeam team(2);
  for (const auto index :
       {simd::IndexFormat::kF32, simd::IndexFormat::kBf16, simd::IndexFormat::kInt8}) {
    const CacheFormats formats = {simd::KvFormat::kBf16, index};
    KvCache full(config, formats);
    full.reserve(0, 256);
    fill_cache(config, full, 0, 256, team);
    for (const std::int32_t n : {0, 1, 15, 16, 37, 255, 256}) {
      KvCache part(config, formats);
      part.reserve(0, std::max(n, 1));
      if (n > 0) fill_cache(config, part, 0, n, team);
      const std::span<std::byte> expected = part.layer(0, 1);
      EXPECT_TRUE(std::ranges::equal(bytes_of(full, 0, 1, n), expected)) << n;
    }
  }
}

TEST(KvCache, CopiesShareAPageUntilOneWritesToIt) {
  const formats::ModelConfig config = tiny_config();
  runtime::ThreadTeam team(1);
  KvCache cache(config, {});
  cache.reserve(0, 600);
  fill_cache(config, cache, 0, 600, team);
  KvCache copy = cache;
  const auto at = [](const KvCache& c, std::int32_t position) { return c.row(0, position); };
  for (const std::int32_t p : {0, 256, 512}) EXPECT_EQ(at(copy, p), at(cache, p));

  copy.reserve(300, 301);
  EXPECT_EQ(at(copy, 0), at(cache, 0));
  EXPECT_NE(at(copy, 299), at(cache, 299));
  EXPECT_EQ(at(copy, 512), at(cache, 512));
  EXPECT_TRUE(std::ranges::equal(copy.layer(1, 2), cache.layer(1, 2)));  // what was there stays

  const std::byte* const mine = at(copy, 299);
  copy.reserve(301, 302);
  EXPECT_EQ(at(copy, 299), mine);  // its own by now
}

TEST(KvCache, GivesPagesBackButOne) {
  const formats::ModelConfig config = tiny_config();
  KvCache cache(config, {});
  cache.reserve(0, 10 * 256);
  const KvCache copy = cache;
  const std::byte* const kept = cache.row(0, 300);
  cache.truncate(2 * 256);
  EXPECT_EQ(cache.n_pages(), 3);
  EXPECT_EQ(cache.row(0, 300), kept);
  cache.truncate(257);
  EXPECT_EQ(cache.n_pages(), 3);
  cache.truncate(0);
  EXPECT_EQ(cache.n_pages(), 1);
  EXPECT_EQ(copy.n_pages(), 10);
  cache.reserve(0, 10 * 256);
  EXPECT_EQ(cache.n_pages(), 10);
}

TEST(KvCache, RefusesWhatIsntAvailableAndChangesNothing) {
  const formats::ModelConfig config = tiny_config();
  KvCache cache(config, {});
  cache.reserve(0, 1);
  std::uint64_t used = 0;
  std::ifstream("/proc/self/statm") >> used;
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  const rlimit low = {used * 4096 + (std::uint64_t{256} << 20), before.rlim_max};
  const auto tokens = static_cast<std::int32_t>((std::size_t{1} << 30) / cache.bytes_per_token());
  ASSERT_EQ(setrlimit(RLIMIT_AS, &low), 0);
  EXPECT_THROW(cache.reserve(0, tokens), std::runtime_error);
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
  EXPECT_EQ(cache.n_pages(), 1);
  cache.reserve(0, 600);
  EXPECT_EQ(cache.n_pages(), 3);
}

}  // namespace
}  // namespace leyden::model
