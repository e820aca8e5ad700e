#include "src/text/stop_strings.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace leyden::text {
namespace {

TEST(StopStrings, StopAcrossPiecesAndHoldBackOnlyWhatMayBeginOne) {
  StopStrings stops({"</end>"});
  EXPECT_EQ(stops.push("text <"), "text ");
  EXPECT_EQ(stops.push("b> and </e"), "<b> and ");
  EXPECT_FALSE(stops.stopped());
  EXPECT_EQ(stops.push("nd> more"), "");
  EXPECT_EQ(stops.stopped_by(), "</end>");
  EXPECT_EQ(stops.push("still more"), "");
  EXPECT_EQ(stops.finish(), "");
}

TEST(StopStrings, AnAnswerThatEndsByItselfLosesNothing) {
  StopStrings stops({"###"});
  EXPECT_EQ(stops.push("a##"), "a");
  EXPECT_EQ(stops.finish(), "##");
  EXPECT_FALSE(stops.stopped());
}

TEST(StopStrings, TheEarliestOfSeveralCounts) {
  StopStrings stops({"world", "lo", ""});
  EXPECT_EQ(stops.push("hello world"), "hel");
  EXPECT_EQ(stops.stopped_by(), "lo");
}

TEST(StopStrings, WhichIsCompleteFirstCountsHoweverTheTextIsCut) {
  const auto shown = [](const std::vector<std::string>& wanted, std::size_t piece) {
    StopStrings stops(wanted);
    const std::string text = "The capital of Norway";
    std::string all;
    for (std::size_t at = 0; at < text.size(); at += piece) {
      all += stops.push(std::string_view(text).substr(at, piece));
    }
    return all;
  };
  for (const std::size_t piece : {1, 4, 100}) {
    EXPECT_EQ(shown({"capital of", "al"}, piece), "The capit");
    EXPECT_EQ(shown({"al", "capital", "tal"}, piece), "The ") << "of equal ends the longest";
  }
}

TEST(StopStrings, AnyCutOfTheTextGivesTheSame) {
  std::mt19937 random(5);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    while (text.size() < 30) text += static_cast<char>('a' + random() % 2);
    const std::vector<std::string> wanted = {"abba", "bbbb", "aabab"};
    std::size_t first = text.size();
    for (const std::string& stop : wanted) first = std::min(first, text.find(stop));
    StopStrings stops(wanted);
    std::string shown;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t n = 1 + random() % 5;
      shown += stops.push(std::string_view(text).substr(at, n));
      at += n;
    }
    shown += stops.finish();
    EXPECT_EQ(shown, text.substr(0, first)) << text;
  }
}

}  // namespace
}  // namespace leyden::text
