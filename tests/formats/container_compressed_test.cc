#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <stdexcept>
#include <thread>

#include "formats/container_reader.h"
#include "tests/formats/container_fixture.h"
#include "tests/formats/refusal.h"

namespace leyden::formats {
namespace {

using leyden::fixtures::refusal_of;
using ::testing::HasSubstr;

class CompressedContainerTest : public ContainerTest {
 protected:
  std::string write(Unfinished unfinished = Unfinished::kDiscard) {
    ContainerWriter writer(path_, "int4", blobs(), kSpecs,
                           {.unfinished = unfinished, .compressed = true, .source = {}});
    write_pieces(writer, kAll);
    return writer.finish();
  }
};

TEST_F(CompressedContainerTest, GivesBackTheSameBytesAndFingerprint) {
  const std::string fingerprint = write();
  const ContainerReader reader(path_);
  EXPECT_EQ(reader.fingerprint(), fingerprint);
  EXPECT_EQ(write_container(dir_.path() / "plain", kPiece), fingerprint);
  for (std::size_t t = 0; t < kSpecs.size(); ++t) {
    const StoredTensor& tensor = *reader.find(kSpecs[t].name);
    const std::vector<std::byte> expected = contents(t);
    EXPECT_FALSE(tensor.frames.empty());
    // Ranges that begin and end inside frames, at their borders, and nowhere.
    for (const std::size_t begin : {std::size_t{0}, std::size_t{5}, kPiece - 1, kPiece}) {
      for (const std::size_t n : {std::size_t{0}, std::size_t{1}, kPiece, 2 * kPiece + 1}) {
        if (begin + n > expected.size()) continue;
        std::vector<std::byte> part(n);
        reader.read(tensor, begin, part);
        EXPECT_TRUE(std::equal(part.begin(), part.end(), &expected[begin])) << begin << ' ' << n;
      }
    }
    reader.verify(tensor);
  }
  EXPECT_THAT(refusal_of([&] { reader.map(); }), HasSubstr("is compressed, so it can't be mapped"));
}

/// A piece of kSpecs[tensor].
struct NumberedPiece {
  std::size_t tensor, offset;
  std::uint64_t number;
};

std::vector<NumberedPiece> all_pieces() {
  std::vector<NumberedPiece> pieces;
  for (std::size_t t = 0; t < kSpecs.size(); ++t) {
    for (std::size_t offset = 0; offset < kSpecs[t].bytes(); offset += kPiece) {
      pieces.push_back({t, offset, pieces.size()});
    }
  }
  return pieces;
}

TEST_F(CompressedContainerTest, TheBytesDontTellWhoWasFirst) {
  write();
  const std::string expected = read_text_file(path_);
  std::vector<std::vector<std::byte>> all;
  for (std::size_t t = 0; t < kSpecs.size(); ++t) all.push_back(contents(t));
  std::vector<NumberedPiece> pieces = all_pieces();
  for (unsigned seed = 0; seed < 4; ++seed) {
    std::shuffle(pieces.begin(), pieces.end(), std::mt19937(seed));
    {
      ContainerWriter writer(path_, "int4", blobs(), kSpecs, {.compressed = true, .source = {}});
      std::vector<std::thread> threads;
      for (std::size_t share = 0; share < 3; ++share) {
        threads.emplace_back([&, share] {
          for (std::size_t i = share; i < pieces.size(); i += 3) {
            const auto [t, offset, number] = pieces[i];
            const std::size_t n = std::min(kPiece, all[t].size() - offset);
            writer.write(t, offset, std::span(all[t]).subspan(offset, n), number);
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
      writer.finish();
    }
    EXPECT_TRUE(read_text_file(path_) == expected) << seed;
  }
}

TEST_F(CompressedContainerTest, NumbersComeOnceAndWithoutGaps) {
  const auto problem_with = [&](const std::function<std::uint64_t(std::uint64_t)>& renumbered) {
    try {
      ContainerWriter writer(path_, "int4", blobs(), kSpecs, {.compressed = true, .source = {}});
      for (const auto [t, offset, number] : all_pieces()) {
        const std::vector<std::byte> bytes = contents(t);
        const std::size_t n = std::min(kPiece, bytes.size() - offset);
        writer.write(t, offset, std::span(bytes).subspan(offset, n), renumbered(number));
      }
      writer.finish();
    } catch (const std::logic_error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(problem_with([](std::uint64_t n) { return n; }), "");
  EXPECT_THAT(problem_with([](std::uint64_t n) { return n == 3 ? 2 : n; }), HasSubstr("number 2"));
  EXPECT_THAT(problem_with([](std::uint64_t n) { return n < 3 ? n : n + 1; }), HasSubstr("gap"));
}

TEST_F(CompressedContainerTest, GoesOnWithWhatIsThereToTheSameBytes) {
  const WriterOptions options = {.unfinished = Unfinished::kKeep, .compressed = true, .source = {}};
  // The first half in order, then with holes: what a kill can leave, if a thread was slow.
  const auto some = [](std::size_t number) { return number < 6 || number == 8; };
  {
    ContainerWriter first(path_, "int4", blobs(), kSpecs, options);
    write_pieces(first, some);
  }
  std::string fingerprint;
  {
    ContainerWriter second(path_, "int4", blobs(), kSpecs, options);
    EXPECT_EQ(second.recovered().size(), 6u);  // the ninth hadn't got its place
    EXPECT_EQ(second.recovered().size(), write_pieces(second, kAll));
    fingerprint = second.finish();
  }
  const std::string resumed = read_text_file(path_);
  EXPECT_EQ(write(), fingerprint);
  EXPECT_TRUE(read_text_file(path_) == resumed);
  EXPECT_EQ(write_container(dir_.path() / "plain", kPiece), fingerprint);
}

TEST_F(CompressedContainerTest, DamagedFramesAreWrittenAnewOnResuming) {
  write();
  const std::string expected = read_text_file(path_);
  const WriterOptions options = {.unfinished = Unfinished::kKeep, .compressed = true, .source = {}};
  {
    ContainerWriter first(path_, "int4", blobs(), kSpecs, options);
    write_pieces(first, kAll);
  }
  std::string partial = read_text_file(path_.string() + ".partial");
  {
    ContainerWriter second(path_, "int4", blobs(), kSpecs, options);
    const WrittenPiece& third = second.recovered().at(2);
    partial[third.file_offset + third.stored_bytes / 2] ^= 1;  // zstd alone wouldn't notice
    partial.resize(second.recovered().at(20).file_offset + 9);
  }
  dir_.write("model.leyden.partial", partial);
  {
    ContainerWriter second(path_, "int4", blobs(), kSpecs, options);
    EXPECT_EQ(write_pieces(second, kAll), 19u);
    second.finish();
  }
  EXPECT_TRUE(read_text_file(path_) == expected);
}

TEST_F(CompressedContainerTest, EveryTruncationAndFlippedBitOfHeaderAndIndexIsRefused) {
  write();
  const std::string bytes = read_text_file(path_);
  const auto refused = [&](const std::string& broken) {
    dir_.write("broken.leyden", broken);
    return refusal_of([&] { ContainerReader reader(dir_.path() / "broken.leyden"); });
  };
  ASSERT_EQ(refused(bytes), "");
  for (std::size_t size = 1; size < bytes.size(); size += size < 100 ? 1 : 777'777) {
    EXPECT_THAT(refused(bytes.substr(0, size)), HasSubstr("broken.leyden: ")) << size;
  }
  const std::size_t index = bytes.rfind("{\"recipe\"");
  ASSERT_NE(index, std::string::npos);
  for (std::size_t at = 0; at < bytes.size(); at = at + 1 == 64 ? index : at + (at < 64 ? 1 : 97)) {
    std::string broken = bytes;
    broken[at] = static_cast<char>(broken[at] ^ (1 << at % 8));
    EXPECT_THAT(refused(broken), HasSubstr("broken.leyden: ")) << at;
  }
}

TEST_F(CompressedContainerTest, DamagedFramesAreNamed) {
  write();
  const StoredFrame frame = ContainerReader(path_).find("head")->frames.at(1);
  std::string bytes = read_text_file(path_);
  for (const std::uint64_t at : {std::uint64_t{0}, frame.stored_bytes / 2}) {
    std::string damaged = bytes;
    damaged[frame.offset + at] ^= 0x40;
    dir_.write("model.leyden", damaged);
    const ContainerReader reader(path_);
    EXPECT_THAT(refusal_of([&] { reader.verify(*reader.find("head")); }),
                HasSubstr("tensor 'head'"));
  }
}

TEST_F(CompressedContainerTest, FramesThatLieAreRefused) {
  const ContainerIndex good = [] {
    ContainerIndex index;
    index.tensors.push_back({kSpecs[2], 0, kSpecs[2].bytes(), {}, {{100, 64, 90}, {92, 154, 80}}});
    return index;
  }();
  EXPECT_EQ(parse_container_index(to_json(good), 1000, "x").tensors[0].frames,
            good.tensors[0].frames);
  const auto refused = [&](std::size_t i, StoredFrame frame) {
    ContainerIndex index = good;
    index.tensors[0].frames[i] = frame;
    return refusal_of([&] { parse_container_index(to_json(index), 1000, "x"); });
  };
  EXPECT_THAT(refused(0, {101, 64, 90}), HasSubstr("at most"));
  EXPECT_THAT(refused(0, {99, 64, 90}), HasSubstr("frames of 192 bytes"));
  EXPECT_THAT(refused(0, {0, 64, 90}), HasSubstr("at most"));
  EXPECT_THAT(refused(1, {92, 154, 100'000}), HasSubstr("at most"));
  EXPECT_THAT(refused(1, {92, 153, 80}), HasSubstr("overlaps"));
  EXPECT_THAT(refused(1, {92, 950, 80}), HasSubstr("beyond the end"));
  EXPECT_THAT(refused(1, {92, 1ull << 62, 80}), HasSubstr("beyond the end"));
}

}  // namespace
}  // namespace leyden::formats
