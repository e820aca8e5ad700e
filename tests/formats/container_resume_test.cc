#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "tests/formats/container_fixture.h"

namespace leyden::formats {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::testing::ThrowsMessage;

constexpr auto kEveryThird = [](std::size_t number) { return number % 3 == 0; };

class ResumedContainerTest : public ContainerTest {
 protected:
  ContainerWriter writer(const std::string& source = "checkpoint") {
    return {path_,
            "int4",
            blobs(),
            kSpecs,
            {.unfinished = Unfinished::kKeep,
             .source = {{"the checkpoint", source}, {"the recipe", "int4"}}}};
  }
  /// What an interrupted writer leaves.
  void interrupt() {
    ContainerWriter first = writer();
    write_pieces(first, kEveryThird);
  }
  std::string whole() const {
    write_container(dir_.path() / "whole", 1 << 20);
    return read_text_file(dir_.path() / "whole");
  }
};

TEST_F(ResumedContainerTest, GoesOnWithWhatIsThere) {
  interrupt();
  EXPECT_TRUE(fs::exists(path_.string() + ".partial"));
  EXPECT_FALSE(fs::exists(path_));
  {
    ContainerWriter second = writer();
    EXPECT_EQ(second.recovered().size(), write_pieces(second, kAll));
    EXPECT_GT(second.recovered().size(), 4u);
    second.finish();
  }
  EXPECT_TRUE(read_text_file(path_) == whole());
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_.path()), fs::directory_iterator()), 2);
}

TEST_F(ResumedContainerTest, WritesAnewWhatWasDamaged) {
  interrupt();
  const std::string partial = path_.string() + ".partial";
  std::string bytes = read_text_file(partial);
  std::size_t n_recovered = 0;
  {
    ContainerWriter second = writer();
    n_recovered = second.recovered().size();
    bytes[second.recovered().back().file_offset + 7] ^= 1;
  }
  dir_.write("model.leyden.partial", bytes);
  {
    ContainerWriter second = writer();
    EXPECT_EQ(write_pieces(second, kAll), n_recovered - 1);
    second.finish();
  }
  EXPECT_TRUE(read_text_file(path_) == whole());
}

TEST_F(ResumedContainerTest, TrustsOnlyItsOwnKind) {
  interrupt();
  const fs::path partial = path_.string() + ".partial", journal = partial.string() + ".journal";
  const std::string written = read_text_file(partial), noted = read_text_file(journal);
  EXPECT_THAT([&] { writer("another checkpoint"); },
              ThrowsMessage<WriteError>(AllOf(StartsWith(journal.string()),
                                              HasSubstr("differs in: the checkpoint. Nothing"))));
  const WriterOptions compressed = {.unfinished = Unfinished::kKeep, .compressed = true};
  EXPECT_THAT([&] { ContainerWriter(path_, "int8", blobs(), kSpecs, compressed); },
              ThrowsMessage<WriteError>(HasSubstr("differs in: compression. Nothing")));
  EXPECT_TRUE(read_text_file(partial) == written);
  EXPECT_TRUE(read_text_file(journal) == noted);
  EXPECT_GT(writer().recovered().size(), 0u);
  // Without the file the journal means nothing, and the other way round.
  for (const fs::path& gone : {partial, journal}) {
    fs::remove(gone);
    EXPECT_EQ(writer("another checkpoint").recovered().size(), 0u);
    interrupt();
  }
  // Whoever doesn't ask for more begins anew.
  write_container(path_, kPiece);
  EXPECT_TRUE(read_text_file(path_) == whole());
}

TEST_F(ResumedContainerTest, WhoseFilesAreGoneLeavesThoseOfTheNextWriter) {
  {
    std::optional<ContainerWriter> first(std::in_place, path_, "int4", blobs(), kSpecs);
    write_pieces(*first, kAll);
    for (const char* name : {".partial", ".partial.journal"}) fs::remove(path_.string() + name);
    ContainerWriter second = writer();
    write_pieces(second, kEveryThird);
    EXPECT_THAT([&] { first->finish(); },
                ThrowsMessage<WriteError>(HasSubstr("was removed or replaced meanwhile")));
    first.reset();
  }
  EXPECT_FALSE(fs::exists(path_));
  EXPECT_GT(writer().recovered().size(), 0u);
}

TEST_F(ResumedContainerTest, IgnoresTheTornEndOfTheJournal) {
  interrupt();
  const std::string journal = "model.leyden.partial.journal";
  const std::string bytes = read_text_file(dir_.path() / journal);
  const std::size_t n = writer().recovered().size();
  for (const std::size_t cut : {1u, 63u, 64u, 65u}) {
    dir_.write(journal, bytes.substr(0, bytes.size() - cut));
    EXPECT_EQ(writer().recovered().size(), n - (cut + 63) / 64) << cut;
  }
  std::string damaged = bytes;
  damaged[64 + 3 * 64 + 8] ^= 1;  // the fourth entry
  dir_.write(journal, damaged);
  EXPECT_EQ(writer().recovered().size(), 3u);
  dir_.write(journal, "no journal");
  EXPECT_EQ(writer().recovered().size(), 0u);
}

}  // namespace
}  // namespace leyden::formats
