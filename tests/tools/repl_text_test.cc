// The parts of the conversation that are functions of text.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <clocale>
#include <cstdio>
#include <filesystem>
#include <sstream>

#include "tools/repl/command_line.h"
#include "tools/repl/commands.h"
#include "tools/repl/completion.h"
#include "tools/repl/history_file.h"
#include "tools/repl/input_text.h"
#include "tools/repl/key_source.h"
#include "tools/repl/paste_folds.h"
#include "tools/repl/settings.h"
#include "tools/repl/word_wrap.h"
#include "tools/visible_text.h"

namespace leyden::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(VisibleText, ControlCharactersBecomePictures) {
  EXPECT_EQ(visible("\x1b[31mred\x07\x7f"), "␛[31mred␇␡");
  EXPECT_EQ(visible(std::string_view("a\0b", 3)), "a␀b");
  EXPECT_EQ(visible("a\tb\nc\r\nd\re"), "a\tb\nc\nd␍e");
  EXPECT_EQ(visible("\xC2\x9B"
                    "31m \xC2\xA0"),
            "\uFFFD31m \u00A0")
      << "C1's CSI, not NBSP";
  EXPECT_EQ(visible("\x9b"), "\uFFFD");
  EXPECT_EQ(visible("漢字 🦊 é"), "漢字 🦊 é");
}

TEST(VisibleText, ExcerptsAreCutByColumns) {
  std::setlocale(LC_CTYPE, "C.UTF-8");
  EXPECT_EQ(columns_of("漢字a"), 5);
  EXPECT_EQ(excerpt("short", 10), "short");
  EXPECT_EQ(excerpt("\n two lines\nmore", 20), "two lines…");
  EXPECT_EQ(excerpt("漢字漢字漢字", 6), "漢字…");
  EXPECT_EQ(excerpt("", 5), "");
}

std::string wrapped(int columns, std::string_view text, std::size_t piece = 1000, int column = 0) {
  WordWrap wrap(columns, column);
  std::string out;
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
    out += wrap.push(text.substr(0, piece));
  }
  return out + wrap.finish();
}

TEST(WordWrap, AWordThatReachesTheEdgeGoesToTheNextLine) {
  EXPECT_EQ(wrapped(10, "one two three four"), "one two \nthree four");
  EXPECT_EQ(wrapped(6, "one two\nthree"), "one \ntwo\nthree");
  EXPECT_EQ(wrapped(9, "four five six"), "four five\nsix") << "no blank begins a line";
  EXPECT_EQ(wrapped(10, "a\tb cd"), "a\tb \ncd");
  for (const std::size_t piece : {1u, 2u, 5u}) {
    EXPECT_EQ(wrapped(10, "one two three four", piece), "one two \nthree four");
  }
}

TEST(WordWrap, AWordIsHeldBackUntilItEnds) {
  WordWrap wrap(10);
  EXPECT_EQ(wrap.push("on"), "");
  EXPECT_EQ(wrap.push("e two t"), "one two ");
  EXPECT_EQ(wrap.finish(), "t");
  EXPECT_EQ(wrap.push("123456789 "), "123456789 ") << "another line";
}

TEST(WordWrap, WhatIsWiderThanALineIsLeftToTheTerminal) {
  EXPECT_EQ(wrapped(5, "ab cdefghijklm no", 1), "ab cdefghijklm \nno");
  WordWrap wrap(5);
  EXPECT_EQ(wrap.push("abcdef"), "abcdef") << "not held back until it ends";
  EXPECT_EQ(wrap.push("g"), "g");
}

TEST(WordWrap, WideCharactersAreWordsEach) {
  std::setlocale(LC_CTYPE, "C.UTF-8");
  EXPECT_EQ(wrapped(5, "漢字漢字"), "漢字\n漢字");
  EXPECT_EQ(wrapped(7, "ab漢字cd"), "ab漢字\ncd");
  EXPECT_EQ(WordWrap(9).push("漢"), "漢") << "and aren't held back";
}

TEST(WordWrap, FencedCodeStaysAsItIs) {
  const std::string code = "  ```cpp\nint number = 12;\n\n  return number;\n```\n";
  for (const std::size_t piece : {1u, 3u, 1000u}) {
    EXPECT_EQ(wrapped(9, code + "one two three", piece), code + "one two \nthree");
  }
  EXPECT_EQ(wrapped(9, "```a``` two three"), "```a``` \ntwo three");
}

TEST(WordWrap, ALabelTakesAPartOfTheFirstLine) {
  EXPECT_EQ(wrapped(10, "one two three\nfour", 1000, 6), "one \ntwo three\nfour");
  EXPECT_EQ(wrapped(10, "```\nint number = 12;\n", 1000, 6), "```\nint number = 12;\n");
  EXPECT_EQ(wrapped(0, "one two", 1000, 6), "one two") << "not at a terminal";
}

TEST(WordWrap, WithoutATerminalAllPassesAtOnce) { EXPECT_EQ(WordWrap(0).push("one tw"), "one tw"); }

TEST(CommandLine, ASlashAndLettersIsACommand) {
  const auto command = parse_command("/system  You are\nkind. ");
  ASSERT_TRUE(command);
  EXPECT_EQ(command->name, "/system");
  EXPECT_EQ(command->argument, "You are\nkind.");
  EXPECT_TRUE(parse_command("/?"));
  EXPECT_FALSE(parse_command("/"));
  EXPECT_FALSE(parse_command("/usr/bin is where?"));
  EXPECT_FALSE(parse_command(" /help"));
  EXPECT_FALSE(parse_command("// a comment"));
  EXPECT_FALSE(parse_command("/ what"));
  EXPECT_FALSE(parse_command(""));
}

TEST(Commands, HelpFitsATerminalOf80Columns) {
  std::istringstream help(help_text());
  for (std::string line; std::getline(help, line);) EXPECT_LE(columns_of(line), 79) << line;
}

TEST(Commands, ASettingIsRefusedByTheNameThatWasTyped) {
  ConversationSettings settings;
  try {
    change_setting("logit-bias", "x", settings);
    FAIL();
  } catch (const std::exception& error) {
    EXPECT_STREQ(error.what(), "logit-bias: 'x' is not of the form ID=VALUE");
  }
}

TEST(InputText, BackslashesAndQuotesContinue) {
  EXPECT_EQ(unfinished("a \\"), Unfinished::kBackslash);
  EXPECT_EQ(unfinished("a \\\\"), Unfinished::kNo) << "a doubled one is a backslash";
  EXPECT_EQ(unfinished("\\"), Unfinished::kBackslash);
  EXPECT_EQ(unfinished(""), Unfinished::kNo);
  EXPECT_EQ(unfinished("\"\"\""), Unfinished::kBlock);
  EXPECT_EQ(unfinished("\"\"\"\""), Unfinished::kBlock) << "the same quotes don't open and close";
  EXPECT_EQ(unfinished("\"\"\"a\n\\"), Unfinished::kBlock) << "the backslash is part of the text";
  EXPECT_EQ(unfinished("\"\"\"a\nb\"\"\" "), Unfinished::kNo);
  EXPECT_EQ(unfinished("/system \"\"\"a"), Unfinished::kBlock);
  EXPECT_EQ(unfinished("/system \"\"\"a\"\"\""), Unfinished::kNo);
  EXPECT_EQ(unfinished("what is \"\"\"?"), Unfinished::kNo);
}

TEST(InputText, TheQuotesOfABlockAreNotPartOfIt) {
  EXPECT_EQ(without_quotes("\"\"\"\na\n b\n\"\"\"\n"), "a\n b");
  EXPECT_EQ(without_quotes("/system \"\"\"a\nb\"\"\""), "/system a\nb");
  EXPECT_EQ(without_quotes("say \"\"\"x\"\"\""), "say \"\"\"x\"\"\"");
  EXPECT_EQ(without_quotes("plain "), "plain ");
}

TEST(PasteFolds, LongTextsBecomeANoteAndComeBack) {
  PasteFolds folds;
  EXPECT_EQ(folds.fold("a\nb"), "a\nb");
  std::string lines;
  for (int i = 0; i < 120; ++i) lines += "line\n";
  const std::string note = folds.fold(lines), other = folds.fold(std::string(2000, 'x'));
  EXPECT_EQ(note, "[pasted 120 lines #1: line…]");
  EXPECT_EQ(folds.fold(lines), note);
  EXPECT_EQ(folds.unfold("see " + note + other + "!"),
            "see " + lines + std::string(2000, 'x') + "!");
  EXPECT_EQ(folds.unfold("[pasted 120 lines #9: line…]"), "[pasted 120 lines #9: line…]");
}

TEST(PasteFolds, ANoteThatWasChangedIsSeen) {
  PasteFolds folds;
  const std::string blank(50, '\n');
  const std::string other = folds.fold(blank);
  const std::string note = folds.fold("row 1" + blank);
  ASSERT_EQ(note, "[pasted 50 lines #2: row 1]");
  EXPECT_FALSE(folds.has_broken_note("see " + note + other + note + "!"));
  EXPECT_FALSE(folds.has_broken_note("a [pasted note] of #2"));
  for (std::size_t at = 0; at < note.size(); ++at) {
    std::string shorter = "see " + note + other, longer = shorter;
    EXPECT_TRUE(folds.has_broken_note(shorter.erase(4 + at, 1))) << shorter;
    if (at == 0) continue;
    EXPECT_TRUE(folds.has_broken_note(longer.insert(4 + at, "x"))) << longer;
  }
}

TEST(Completion, AddsWhatAllCandidatesShare) {
  const auto words = [](std::string_view, std::string_view word) {
    return matching_words({"/save", "/set", "/sessions", "größe", "größer", "grüße"}, word);
  };
  EXPECT_EQ(complete("/sa", words).insert, "ve ");
  EXPECT_EQ(complete("/s", words).insert, "");
  EXPECT_THAT(complete("/se", words).candidates, ElementsAre("/sessions", "/set"));
  EXPECT_THAT(complete("/x", words).candidates, IsEmpty());
  EXPECT_EQ(complete("a g", words).insert, "r") << "ö and ü share a byte, which is no letter";
  EXPECT_EQ(complete("grö", words).insert, "ße");
}

TEST(Completion, ANameOrPathIsOneWordWithItsSpaces) {
  std::string before;
  const auto names = [&before](std::string_view text, std::string_view word) {
    before = text;
    return matching_words({"my talk", "my tale", "other"}, word);
  };
  for (const std::string command : {"/load ", "/save ", "/save -f ", "/file "}) {
    EXPECT_THAT(complete(command + "my tal", names).candidates, ElementsAre("my tale", "my talk"));
    EXPECT_EQ(before, command);
    EXPECT_EQ(complete(command + "my talk", names).insert, " ");
  }
  EXPECT_EQ(complete("/show my t", names).insert, "");
  EXPECT_EQ(before, "/show my ");
}

TEST(HistoryFile, EntriesOfSeveralLinesComeBack) {
  const std::filesystem::path file = ::testing::TempDir() + "history_test";
  std::filesystem::remove(file);
  EXPECT_THAT(HistoryFile(file).load(), IsEmpty());
  EXPECT_TRUE(HistoryFile(file).append("one\ntwo \\n 漢"));
  EXPECT_TRUE(HistoryFile(file).append("three\\"));
  EXPECT_THAT(HistoryFile(file).load(), ElementsAre("one\ntwo \\n 漢", "three\\"));
  for (int i = 0; i < 2500; ++i) HistoryFile(file).append("x" + std::to_string(i));
  EXPECT_EQ(HistoryFile(file).load().back(), "x2499");
  EXPECT_LT(std::filesystem::file_size(file), 8000u) << "an overlong file is cut";
  EXPECT_FALSE(HistoryFile("/no/such/folder/history").append("x"));
  std::filesystem::remove(file);
}

TEST(KeySource, CharactersAsUtf8) {
  EXPECT_EQ(to_utf8(U'a') + to_utf8(U'é') + to_utf8(U'漢') + to_utf8(U'🦊'), "aé漢🦊");
}

}  // namespace
}  // namespace leyden::tools
