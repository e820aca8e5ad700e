#include "simd/top_k.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "tests/simd/every_isa.h"

namespace leyden::simd::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

struct Buffer {
  explicit Buffer(std::int32_t k, float floor = -kInfinity)
      : score(static_cast<std::size_t>(top_k_capacity(k))), position(score.size()) {
    best.score = score.data();
    best.position = position.data();
    best.capacity = top_k_capacity(k);
    top_k_reset(best, k, floor);
  }
  std::vector<float> score;
  std::vector<std::int32_t> position;
  TopK best;
};

/// The definition: sort by score, then position; NaN left out.
std::vector<std::int32_t> sorted_best(const std::vector<float>& scores, std::int32_t k) {
  std::vector<std::int32_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  const auto at = [&](std::int32_t i) { return scores[static_cast<std::size_t>(i)]; };
  std::erase_if(order, [&](std::int32_t i) { return at(i) != at(i); });
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int32_t a, std::int32_t b) { return at(a) > at(b); });
  order.resize(std::min(order.size(), static_cast<std::size_t>(k)));
  std::sort(order.begin(), order.end());
  return order;
}

using Scores = std::vector<float>;
Scores random_scores(std::size_t n, unsigned seed) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal;
  Scores x(n);
  for (float& v : x) v = normal(rng);
  return x;
}

/// What a stream can look like, at its worst too.
std::vector<std::pair<std::string, Scores>> streams(std::size_t n) {
  std::vector<std::pair<std::string, Scores>> all;
  Scores x = random_scores(n, 11);
  all.emplace_back("random", x);
  std::sort(x.begin(), x.end());
  all.emplace_back("ascending", x);
  std::reverse(x.begin(), x.end());
  all.emplace_back("descending", x);
  for (float& v : x) v = -1 - v * v;
  all.emplace_back("all negative", x);
  all.emplace_back("all equal", Scores(n, 1.5f));
  all.emplace_back("all minus infinity", Scores(n, -kInfinity));
  x = random_scores(n, 12);
  for (float& v : x) v = std::round(2 * v);
  all.emplace_back("heavy ties", x);
  for (float& v : x) v = v > 0 ? 0.0f : -0.0f;
  all.emplace_back("both zeros", x);
  x = random_scores(n, 13);
  for (std::size_t i = 0; i < n; i += 3) x[i] = kNaN;
  all.emplace_back("a third NaN", x);
  all.emplace_back("all NaN", Scores(n, kNaN));
  x = random_scores(n, 14);
  for (std::size_t i = 0; i < n; ++i) x[i] *= i % 7 == 0 ? 1e-40f : i % 5 == 0 ? 1e38f : 1.0f;
  all.emplace_back("every magnitude", x);
  return all;
}

class TopKTest : public EveryIsa {
 protected:
  /// Offers scores in the given order of positions, as a kernel would.
  void offer(TopK& best, const Scores& scores, const std::vector<std::int32_t>& order) const {
    for (const std::int32_t i : order) {
      const float score = scores[static_cast<std::size_t>(i)];
      if (!(score >= best.threshold)) continue;
      if (score == best.threshold && i > best.last_tie) continue;
      if (best.count == best.capacity) level().top_k_make_room(best);
      ASSERT_LT(best.count, best.capacity);
      best.score[best.count] = score;
      best.position[best.count++] = i;
    }
  }
  std::vector<std::int32_t> chosen(TopK& best) const {
    level().top_k_select(best);
    std::vector<std::int32_t> out(best.position, best.position + best.count);
    std::sort(out.begin(), out.end());
    return out;
  }
  static std::vector<std::int32_t> in_order(std::size_t n) {
    std::vector<std::int32_t> order(n);
    std::iota(order.begin(), order.end(), 0);
    return order;
  }
};

TEST_P(TopKTest, ChoosesWhatAFullSortChooses) {
  for (const std::size_t n : {0u, 1u, 15u, 16u, 17u, 1000u, 5000u}) {
    for (const auto& [kind, scores] : streams(n)) {
      for (const std::int32_t k : {0, 1, 2, 16, 63, 500, static_cast<int>(n)}) {
        Buffer buffer(k);
        offer(buffer.best, scores, in_order(n));
        EXPECT_EQ(chosen(buffer.best), sorted_best(scores, k)) << kind << ", " << k << " of " << n;
      }
    }
  }
}

TEST_P(TopKTest, ChoosesTheSameForAnyOrderOfTheStream) {
  std::mt19937 rng(3);
  for (const auto& [kind, scores] : streams(3000)) {
    std::vector<std::int32_t> order = in_order(scores.size());
    std::shuffle(order.begin(), order.end(), rng);
    Buffer buffer(100);
    offer(buffer.best, scores, order);
    EXPECT_EQ(chosen(buffer.best), sorted_best(scores, 100)) << kind;
  }
}

TEST_P(TopKTest, ChoosesTheSameFromAWarmStart) {
  for (const auto& [kind, scores] : streams(3000)) {
    if (kind == "all NaN") continue;
    const std::vector<std::int32_t> expected = sorted_best(scores, 100);
    // k tokens of the sequence, some of them among the best: their smallest score is the floor
    float floor = kInfinity;
    for (std::size_t i = 0, n = 0; n < 100; ++i) {
      const float score = scores[i < 50 ? static_cast<std::size_t>(expected[i]) : 1000 + i];
      if (score != score) continue;
      floor = std::min(floor, score);
      ++n;
    }
    Buffer buffer(100, floor);
    offer(buffer.best, scores, in_order(scores.size()));
    EXPECT_EQ(chosen(buffer.best), expected) << kind;
  }
}

TEST_P(TopKTest, RaisesTheThresholdPastTheBestLeftOut) {
  const Scores scores = random_scores(4000, 15);
  Buffer buffer(64);
  offer(buffer.best, scores, in_order(scores.size()));
  level().top_k_select(buffer.best);
  Scores sorted = scores;
  std::sort(sorted.rbegin(), sorted.rend());
  EXPECT_LE(buffer.best.threshold, sorted[63]);
  EXPECT_GT(buffer.best.threshold, sorted[64]);
}

TEST_P(TopKTest, MakesRoomAndKeepsTheBest) {
  for (const std::int32_t k : {1, 7, 64, 500}) {
    const std::int32_t n = top_k_capacity(k);
    for (const auto& [kind, scores] : streams(static_cast<std::size_t>(n))) {
      Buffer buffer(k);
      offer(buffer.best, scores, in_order(scores.size()));
      const std::int32_t n_offered = buffer.best.count;
      level().top_k_make_room(buffer.best);
      EXPECT_LE(buffer.best.count, k + top_k_surplus(k)) << kind << ", k " << k;
      EXPECT_GE(buffer.best.count, std::min(k, n_offered)) << kind << ", k " << k;
      for (std::int32_t i = 0; i < buffer.best.count; ++i) {
        EXPECT_GE(buffer.best.score[i], buffer.best.threshold) << kind << ", k " << k;
      }
      EXPECT_EQ(chosen(buffer.best), sorted_best(scores, k)) << kind << ", k " << k;
    }
  }
}

TEST_P(TopKTest, LeavesFewerThanKAlone) {
  Buffer buffer(10);
  offer(buffer.best, {3, 1, 2}, {0, 1, 2});
  EXPECT_EQ(chosen(buffer.best), (std::vector<std::int32_t>{0, 1, 2}));
  EXPECT_EQ(buffer.best.threshold, -kInfinity);
}

/// Threads take pieces of 256 or 100 positions in turn, so that those of a run are together or
/// aren't; their buffers are merged in any order, knowing of
/// the highest threshold among them or not.
class TopKMergeTest : public TopKTest {
 protected:
  void merges(std::int32_t piece, std::int32_t k, const Scores& scores, bool backwards) const {
    std::vector<Buffer> parts;
    for (int p = 0; p < 4; ++p) parts.emplace_back(k);
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(scores.size()); ++i) {
      top_k_push(parts[static_cast<std::size_t>(i / piece % 4)].best,
                 scores[static_cast<std::size_t>(i)], i);
    }
    if (backwards) std::reverse(parts.begin(), parts.end());
    Buffer all(k);
    for (const Buffer& part : parts) {
      if (backwards) top_k_raise(all.best, part.best.threshold);
    }
    for (const Buffer& part : parts) level().top_k_merge(all.best, part.best);
    std::vector<std::int32_t> out(static_cast<std::size_t>(k));
    out.resize(static_cast<std::size_t>(top_k_positions(all.best, out.data())));
    EXPECT_EQ(out, sorted_best(scores, k));
  }
};

TEST_P(TopKMergeTest, MergesPartsInAnyOrder) {
  for (const auto& [kind, scores] : streams(4000)) {
    for (const std::int32_t k : {1, 200, 1500}) {
      for (const std::int32_t piece : {100, 256}) {
        for (const bool backwards : {false, true}) {
          SCOPED_TRACE(kind + ", k " + std::to_string(k) + ", piece " + std::to_string(piece));
          merges(piece, k, scores, backwards);
        }
      }
    }
  }
}

TEST_P(TopKTest, FillsItsBufferOnceWithAscendingTies) {
  Buffer buffer(100);
  std::int32_t n_entered = 0;
  for (std::int32_t i = 0; i < 10000; ++i) {
    const std::int32_t before = buffer.best.count;
    if (buffer.best.count == buffer.best.capacity) {
      level().top_k_make_room(buffer.best);
    }
    top_k_push(buffer.best, 2.5f, i);
    n_entered += buffer.best.count > before ? 1 : 0;
  }
  EXPECT_EQ(n_entered, buffer.best.capacity);
}

LEYDEN_FOR_EVERY_ISA(TopKTest);
LEYDEN_FOR_EVERY_ISA(TopKMergeTest);

}  // namespace
}  // namespace leyden::simd::test
