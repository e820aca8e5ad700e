#include "src/model/kv_cache.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <vector>

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

/// While it lives, the process may take so many bytes of address space more.
class LittleMemory {
 public:
  explicit LittleMemory(std::uint64_t bytes) {
    std::uint64_t used = 0;
    std::ifstream("/proc/self/statm") >> used;
    EXPECT_EQ(getrlimit(RLIMIT_AS, &before_), 0);
    const rlimit low = {used * 4096 + bytes, before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_AS, &low), 0);
  }
  ~LittleMemory() { EXPECT_EQ(setrlimit(RLIMIT_AS, &before_), 0); }

 private:
  rlimit before_ = {};
};

constexpr std::size_t kMiB = std::size_t{1} << 20;

std::int32_t tokens_in(std::size_t bytes, const KvCache& cache) {
  return static_cast<std::int32_t>(bytes / cache.bytes_per_token());
}

TEST(KvCache, RefusesWhatIsntAvailableAndChangesNothing) {
  const formats::ModelConfig config = tiny_config();
  KvCache cache(config, {});
  cache.reserve(0, 1);
  {
    const LittleMemory little(256 * kMiB);
    EXPECT_THROW(cache.reserve(0, tokens_in(1024 * kMiB, cache)), std::runtime_error);
  }
  EXPECT_EQ(cache.n_pages(), 1);
  cache.reserve(0, 600);
  EXPECT_EQ(cache.n_pages(), 3);
}

TEST(KvCache, RefusesWhatIsntAvailableInSmallStepsToo) {
  const formats::ModelConfig config = tiny_config();
  KvCache cache(config, {});
  const LittleMemory little(256 * kMiB);
  const std::int32_t step = tokens_in(60 * kMiB, cache);
  const auto grow = [&] {
    for (std::int32_t n = 0; n < 10 * step; n += step) cache.reserve(n, n + step);
  };
  EXPECT_THROW(grow(), std::runtime_error);
  EXPECT_EQ(cache.capacity() / step, 4);
  cache.truncate(0);
  std::vector<KvCache> forks(10, cache);
  const auto grow_forks = [&] {
    for (KvCache& fork : forks) fork.reserve(1, step);
  };
  EXPECT_THROW(grow_forks(), std::runtime_error);
  EXPECT_GT(forks[2].capacity(), 256);
}

TEST(KvCache, CountsPagesThatNobodyHasWrittenToYet) {
  const formats::ModelConfig config = tiny_config();
  KvCache cache(config, {});
  const LittleMemory little(512 * kMiB);
  const std::int32_t some = tokens_in(240 * kMiB, cache), more = tokens_in(400 * kMiB, cache);
  cache.reserve(0, some);
  EXPECT_THROW(cache.reserve(0, more), std::runtime_error);  // needs 400 MiB in all
  cache.reserve(some, more);                                 // the system has counted `some`
}

}  // namespace
}  // namespace leyden::model
