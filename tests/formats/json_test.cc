#include "formats/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>

#include "formats/json_field.h"
#include "formats/json_text.h"
#include "formats/load_error.h"
#include "formats/utf8.h"

namespace leyden::formats {
namespace {

std::string error_of(const std::function<void()>& load) {
  try {
    load();
  } catch (const LoadError& error) {
    return error.what();
  }
  return "no error";
}

std::string parse_error(const std::string& text, const JsonLimits& limits = {}) {
  return error_of([&] { parse_json(text, "x.json", limits); });
}

std::string round_trip(const std::string& text) { return json_text(parse_json(text, "x.json")); }

TEST(Json, KeepsKeyOrderAndNumberText) {
  const std::string text =
      R"({"z": 1, "a": [12345678901234567890, 123456789012345678901234567890, -99999999999999999999],)"
      R"( "f": [1.0, 0.1, 1e+16, 1.5e-07, 100000.0, -0.0], "s": "é😀\"\\\n\u0001", "n": null, "b": true})";
  EXPECT_EQ(round_trip(text), text);
}

TEST(Json, WritesFloatsAsPythonDoes) {
  EXPECT_EQ(round_trip("[1e5, 1E15, 1e22, 0.0001, 0.00001, 1.50, 5e-324, -0]"),
            "[100000.0, 1000000000000000.0, 1e+22, 0.0001, 1e-05, 1.5, 5e-324, 0]");
}

TEST(Json, WritesLinesToo) {
  const Json value = parse_json(
      R"({"a": [1, [], {"b": 12345678901234567890123}], "c": {}, "d": [[2.5, "e"], null]})", "x");
  EXPECT_EQ(json_lines_text(value), R"({
 "a": [
  1,
  [],
  {
   "b": 12345678901234567890123
  }
 ],
 "c": {},
 "d": [
  [
   2.5,
   "e"
  ],
  null
 ]
})");
}

TEST(Json, ErrorsNameFileAndByte) {
  EXPECT_THAT(parse_error("{\"a\": 1, }"), testing::StartsWith("x.json: byte 9: syntax error"));
  EXPECT_THAT(parse_error(""), testing::StartsWith("x.json: byte 0: "));
  EXPECT_THAT(parse_error("[1] x"), testing::HasSubstr("byte 4"));
  EXPECT_THAT(parse_error("\"\xC3(\""), testing::HasSubstr("UTF-8"));
  EXPECT_THAT(parse_error("[1e999]"), testing::HasSubstr("number overflow"));
  EXPECT_LT(parse_error("\"" + std::string(1 << 20, 'a')).size(), 400u);
}

TEST(Json, RefusesWhatExceedsTheLimits) {
  EXPECT_THAT(parse_error("[[[1]]]", {.max_depth = 2}), testing::HasSubstr("more than 2 deep"));
  EXPECT_EQ(parse_error("[[1], [2]]", {.max_depth = 2}), "no error");
  EXPECT_THAT(parse_error(std::string(1 << 20, '[')), testing::HasSubstr("more than 64 deep"));
  EXPECT_THAT(parse_error("[1, 2]", {.max_bytes = 5}), testing::HasSubstr("at most 5"));
}

TEST(Json, RefusesADoubledKey) {
  EXPECT_THAT(parse_error(R"({"a": {"b": 1, "c": 2, "b": 3}})"),
              testing::HasSubstr("key 'b' twice"));
  EXPECT_EQ(parse_error(R"({"a": {"a": 1}, "b": {"a": 2}})"), "no error");
}

TEST(Json, BigObjectsParseInLinearTime) {
  std::string text = "{";
  for (int i = 0; i < 200000; ++i) text += "\"model.layers.experts." + std::to_string(i) + "\":1,";
  text.back() = '}';
  EXPECT_EQ(parse_json(text, "x").size(), 200000u);
}

TEST(Json, ReadingAFileThatIsNoneNamesIt) {
  EXPECT_EQ(error_of([] { read_json_file("/nonexistent/config.json"); }),
            "/nonexistent/config.json: can't open: No such file or directory");
  EXPECT_EQ(error_of([] { read_json_file("/tmp"); }), "/tmp: is a directory, expected a file");
  EXPECT_THAT(error_of([] { read_text_file("/dev/zero", 1 << 20); }),
              testing::HasSubstr("more than"));
}

class JsonFieldTest : public testing::Test {
 protected:
  Json document = parse_json(R"({"n_group": 0, "big": 18446744073709551615, "deep": {"list":
      [1, "two", 3.5]}, "huge": 123456789012345678901234, "nothing": null})",
                             "config.json");
  JsonField root{document, "config.json"};
};

TEST_F(JsonFieldTest, ErrorsNameFieldFoundAndExpected) {
  EXPECT_EQ(error_of([&] { root.integer("n_group", 1, 64); }),
            "config.json: field 'n_group' is 0, expected an integer from 1 to 64");
  EXPECT_EQ(error_of([&] { root.integer("big"); }),
            "config.json: field 'big' is 18446744073709551615, expected an integer of at least 0");
  EXPECT_EQ(error_of([&] { root.integer("huge"); }),
            "config.json: field 'huge' is 123456789012345678901234, "
            "expected an integer of at least 0");
  EXPECT_EQ(error_of([&] { root.at("deep").at("list").element(1).as_number(); }),
            "config.json: field 'deep.list[1]' is \"two\", expected a number");
  EXPECT_EQ(error_of([&] { root.at("deep").string("name"); }),
            "config.json: field 'deep.name' is missing");
  EXPECT_EQ(error_of([&] { root.string("nothing"); }), "config.json: field 'nothing' is missing");
  EXPECT_EQ(error_of([&] { root.boolean("deep"); }),
            "config.json: field 'deep' is an object with 1 members, expected true or false");
  EXPECT_EQ(error_of([&] { root.size(); }),
            "config.json: the document is an object with 5 members, expected a list");
}

TEST_F(JsonFieldTest, ReadsWhatIsThere) {
  const JsonField list = root.at("deep").at("list");
  EXPECT_EQ(list.size(), 3u);
  EXPECT_EQ(list.element(0).as_integer(), 1);
  EXPECT_EQ(list.element(0).as_number(), 1.0);
  EXPECT_EQ(list.element(2).as_number(), 3.5);
  EXPECT_EQ(root.integer_or("nothing", 7), 7);
  EXPECT_EQ(root.string_or("absent", "x"), "x");
  EXPECT_FALSE(root.has("nothing"));
}

TEST(Utf8, AcceptsExactlyTheWellFormed) {
  EXPECT_EQ(utf8_sequence_length("a"), 1u);
  EXPECT_EQ(utf8_sequence_length("é"), 2u);
  EXPECT_EQ(utf8_sequence_length("漢"), 3u);
  EXPECT_EQ(utf8_sequence_length("😀"), 4u);
  for (const char* bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xC3", "\xE2\x82"}) {
    EXPECT_EQ(utf8_sequence_length(bad), 0u) << bad;
  }
}

TEST(Utf8, ReplacesEachIllFormedPartOnce) {
  // The Unicode standard's own example, section 3.9, table 3-8.
  EXPECT_EQ(utf8_replace_invalid("a\xF1\x80\x80\xE1\x80\xC2"
                                 "b\x80"
                                 "c\x80\xBF"
                                 "d"),
            "a\uFFFD\uFFFD\uFFFDb\uFFFDc\uFFFD\uFFFDd");
}

TEST(Utf8, KnowsWhatMayStillBecomeACharacter) {
  EXPECT_TRUE(utf8_may_continue("\xF0\x9F\x98"));
  EXPECT_TRUE(utf8_may_continue("\xE2"));
  EXPECT_FALSE(utf8_may_continue("é"));
  EXPECT_FALSE(utf8_may_continue("\xED\xA0"));
  EXPECT_FALSE(utf8_may_continue("\x80"));
}

}  // namespace
}  // namespace leyden::formats
