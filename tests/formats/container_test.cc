#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "formats/container_reader.h"
#include "formats/container_writer.h"
#include "formats/json.h"
#include "tests/formats/refusal.h"
#include "tests/formats/temp_directory.h"

namespace leyden::formats {
namespace {

namespace fs = std::filesystem;
using leyden::testing::refusal_of;
using leyden::testing::TempDirectory;
using quant::Layout;
using quant::TensorSpec;
using quant::WeightFormat;
using ::testing::HasSubstr;

const std::vector<TensorSpec> kSpecs{
    {"embed", Layout::kRows, WeightFormat::kBf16, 1, 5, 7},
    {"layers.0.experts.gate", Layout::kTiles, WeightFormat::kInt4, 9, 512, 1000},
    {"layers.0.attn_norm", Layout::kRows, WeightFormat::kF32, 1, 1, 48},
    {"head", Layout::kTiles, WeightFormat::kInt8, 1, 2048, 1030},
};

std::vector<Blob> blobs() {
  return {{"config.json", read_text_file(LEYDEN_TEST_DATA "/formats/configs/deepseek-v3.2.json")},
          {"tokenizer.json", "{}"},
          {"empty", ""}};
}

std::vector<std::byte> contents(std::size_t tensor) {
  std::vector<std::byte> bytes(kSpecs[tensor].bytes());
  std::mt19937 random(static_cast<unsigned>(tensor));
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

/// Writes all tensors in pieces of `piece` bytes from several threads, last pieces first.
std::string write_container(const fs::path& path, std::size_t piece,
                            const std::string& recipe = "int4") {
  ContainerWriter writer(path, recipe, blobs(), kSpecs);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kSpecs.size(); ++t) {
    for (std::size_t share = 0; share < 2; ++share) {
      threads.emplace_back([&writer, t, share, piece] {
        const std::vector<std::byte> bytes = contents(t);
        const std::size_t n_pieces = (bytes.size() + piece - 1) / piece;
        for (std::size_t i = n_pieces; i-- > 0;) {
          if (i % 2 != share) continue;
          const std::size_t offset = i * piece;
          writer.write(t, offset,
                       std::span(bytes).subspan(offset, std::min(piece, bytes.size() - offset)));
        }
      });
    }
  }
  for (std::thread& thread : threads) thread.join();
  return writer.finish();
}

class ContainerTest : public ::testing::Test {
 protected:
  ContainerTest() : path_(dir_.path() / "model.leyden") {}

  TempDirectory dir_;
  fs::path path_;
};

TEST_F(ContainerTest, GivesBackWhatWasWritten) {
  const std::string fingerprint = write_container(path_, 300'000);
  EXPECT_TRUE(is_container(path_));
  const ContainerReader reader(path_);
  EXPECT_EQ(reader.recipe(), "int4");
  EXPECT_EQ(reader.fingerprint(), fingerprint);
  EXPECT_EQ(reader.config().hidden_size, 7168);
  EXPECT_EQ(reader.blob("tokenizer.json"), "{}");
  EXPECT_EQ(reader.blob("empty"), "");
  EXPECT_EQ(reader.blob("none"), std::nullopt);
  EXPECT_EQ(reader.find("none"), nullptr);
  const MappedFile mapped = reader.map();
  for (std::size_t t = 0; t < kSpecs.size(); ++t) {
    const StoredTensor& tensor = *reader.find(kSpecs[t].name);
    EXPECT_EQ(tensor.spec, kSpecs[t]);
    EXPECT_EQ(tensor.offset % alignment_of(tensor.bytes), 0u);
    const std::vector<std::byte> expected = contents(t);
    std::vector<std::byte> part(expected.size() - 9);
    reader.read(tensor, 9, part);
    EXPECT_TRUE(std::equal(part.begin(), part.end(), expected.begin() + 9));
    EXPECT_TRUE(
        std::equal(expected.begin(), expected.end(), mapped.bytes().begin() + tensor.offset));
    reader.verify(tensor);
  }
  EXPECT_EQ(reader.find("head")->offset % kLargeAlignment, 0u);
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_.path()), fs::directory_iterator()), 1);
}

TEST_F(ContainerTest, PiecesOfAnySizeGiveTheSameBytes) {
  write_container(path_, 1 << 20);
  const std::string first = read_text_file(path_);
  for (const std::size_t piece : {4097, 1'048'577, 1 << 30}) {
    write_container(path_, piece);
    EXPECT_TRUE(read_text_file(path_) == first) << piece;
  }
}

TEST_F(ContainerTest, TheFingerprintTellsModelsAndRecipesApart) {
  EXPECT_EQ(write_container(path_, 1 << 20), write_container(path_, 1 << 19));
  EXPECT_NE(write_container(path_, 1 << 20), write_container(path_, 1 << 20, "int8"));
}

constexpr std::size_t kPiece = 200'000;

/// Writes the pieces of all tensors that `wanted` chooses by their number, or finds them written.
/// Returns how many were found.
template <typename Wanted>
std::size_t write_pieces(ContainerWriter& writer, const Wanted& wanted) {
  std::size_t n_found = 0, number = 0;
  for (std::size_t t = 0; t < kSpecs.size(); ++t) {
    const std::vector<std::byte> bytes = contents(t);
    for (std::size_t offset = 0; offset < bytes.size(); offset += kPiece, ++number) {
      if (!wanted(number)) continue;
      const auto piece = std::span(bytes).subspan(offset, std::min(kPiece, bytes.size() - offset));
      std::vector<std::byte> found(piece.size());
      const bool is_there = std::any_of(
          writer.recovered().begin(), writer.recovered().end(), [&](const WrittenPiece& w) {
            return w.tensor == t && w.offset == offset && writer.adopt(w, found, number);
          });
      if (is_there) {
        EXPECT_TRUE(std::equal(found.begin(), found.end(), piece.begin()));
        ++n_found;
      } else {
        writer.write(t, offset, piece, number);
      }
    }
  }
  return n_found;
}

constexpr auto kAll = [](std::size_t) { return true; };
constexpr auto kEveryThird = [](std::size_t number) { return number % 3 == 0; };

class ResumedContainerTest : public ContainerTest {
 protected:
  ContainerWriter writer(const std::string& source = "checkpoint") {
    return {path_, "int4", blobs(), kSpecs, {.unfinished = Unfinished::kKeep, .source = source}};
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
  EXPECT_EQ(writer("another checkpoint").recovered().size(), 0u);
  // That one has begun anew; so does whoever doesn't ask for more.
  EXPECT_EQ(writer().recovered().size(), 0u);
  interrupt();
  write_container(path_, kPiece);
  EXPECT_TRUE(read_text_file(path_) == whole());
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

TEST_F(ContainerTest, MisuseOfTheWriterIsNamedAndLeavesNothing) {
  {
    ContainerWriter writer(path_, "int4", blobs(), kSpecs);
    const std::vector<std::byte> bytes = contents(0);
    EXPECT_THROW(writer.write(0, 1, bytes), std::logic_error);
    EXPECT_THROW(writer.write(0, UINT64_MAX, bytes), std::logic_error);
    writer.write(0, 0, bytes);
    EXPECT_THROW(writer.write(0, 0, bytes), std::logic_error);
    try {
      writer.finish();
      ADD_FAILURE();
    } catch (const std::logic_error& error) {
      EXPECT_THAT(error.what(), HasSubstr("were never written"));
    }
  }
  EXPECT_TRUE(fs::is_empty(dir_.path()));
}

/// A container as bytes, to be broken.
class BrokenContainerTest : public ContainerTest {
 protected:
  BrokenContainerTest() {
    write_container(path_, 1 << 20);
    bytes_ = read_text_file(path_);
    const FileHeader header = this->header();
    index_ = parse_json(bytes_.substr(header.index_offset, header.index_bytes), "index");
  }

  FileHeader header() const {
    FileHeaderBytes raw{};
    std::memcpy(raw.data(), bytes_.data(), raw.size());
    return decode_header(kContainer, raw, "x");
  }

  std::string refusal_of_bytes(const std::string& bytes) {
    const fs::path path = dir_.write("broken.leyden", bytes);
    return refusal_of([&] { ContainerReader reader(path); });
  }

  /// With a header that is right in itself after `edit`.
  std::string refusal_after_header(const std::function<void(FileHeader&)>& edit) {
    FileHeader header = this->header();
    edit(header);
    const FileHeaderBytes raw = encode_header(kContainer, header);
    std::string bytes = bytes_;
    std::memcpy(bytes.data(), raw.data(), raw.size());
    return refusal_of_bytes(bytes);
  }

  /// With an index whose checksum is right after `edit`.
  std::string refusal_after_index(const std::function<void(Json&)>& edit) {
    Json index = index_;
    edit(index);
    const std::string json = index.dump();
    FileHeader header = this->header();
    header.index_bytes = json.size();
    header.file_bytes = header.index_offset + json.size();
    header.index_checksum = checksum(json);
    const FileHeaderBytes raw = encode_header(kContainer, header);
    std::string bytes = bytes_.substr(0, header.index_offset) + json;
    std::memcpy(bytes.data(), raw.data(), raw.size());
    return refusal_of_bytes(bytes);
  }

  std::string refusal_of_tensor(std::size_t i, const std::string& field, const Json& value) {
    return refusal_after_index([&](Json& index) { index["tensors"][i][field] = value; });
  }

  std::string bytes_;
  Json index_;
};

TEST_F(BrokenContainerTest, EveryTruncationIsRefused) {
  const std::uint64_t index_offset = header().index_offset;
  for (std::size_t size = 1; size < bytes_.size(); size += size < 200 ? 1 : 777'777) {
    EXPECT_NE(refusal_of_bytes(bytes_.substr(0, size)), "") << size;
  }
  EXPECT_THAT(refusal_of_bytes(bytes_.substr(0, index_offset + 5)), HasSubstr("cut off"));
  EXPECT_THAT(refusal_of_bytes(bytes_ + "x"), HasSubstr("too long"));
  EXPECT_EQ(refusal_of_bytes(bytes_), "");
}

TEST_F(BrokenContainerTest, EveryFlippedBitOfHeaderAndIndexIsRefused) {
  const std::uint64_t index_offset = header().index_offset;
  for (std::size_t at = 0; at < bytes_.size();) {
    const int bit = static_cast<int>(at % 8);
    std::string broken = bytes_;
    broken[at] = static_cast<char>(broken[at] ^ (1 << bit));
    EXPECT_THAT(refusal_of_bytes(broken), HasSubstr("broken.leyden: ")) << at;
    at = at + 1 == 64 ? index_offset : at < 64 ? at + 1 : at + 41;
  }
}

TEST_F(BrokenContainerTest, VerifyNamesTheDamagedTensor) {
  const ContainerReader whole(path_);
  for (const StoredTensor& tensor : whole.tensors()) {
    for (const std::uint64_t at : {std::uint64_t{0}, tensor.bytes / 2, tensor.bytes - 1}) {
      std::string broken = bytes_;
      broken[tensor.offset + at] = static_cast<char>(broken[tensor.offset + at] ^ 16);
      const ContainerReader reader(dir_.write("broken.leyden", broken));
      for (const StoredTensor& other : reader.tensors()) {
        const std::string sentence = refusal_of([&] { reader.verify(other); });
        if (other.spec.name == tensor.spec.name) {
          EXPECT_THAT(sentence, HasSubstr("tensor '" + other.spec.name + "' at byte"));
          EXPECT_THAT(sentence, HasSubstr("is damaged"));
        } else {
          EXPECT_EQ(sentence, "");
        }
      }
    }
  }
}

TEST_F(BrokenContainerTest, DamagedBlobsAreNamed) {
  std::string broken = bytes_;
  broken[broken.find("hidden_size")] = 'H';
  EXPECT_THAT(refusal_of_bytes(broken), HasSubstr("'config.json' at byte 64 is damaged"));
}

TEST_F(BrokenContainerTest, OtherVersionsAreRefusedPolitely) {
  EXPECT_THAT(refusal_after_header([](auto& h) { h.version = 2; }),
              HasSubstr("is a leyden container of version 2, but this leyden reads version 1"));
  EXPECT_THAT(refusal_after_header([](auto& h) { h.version = 0; }), HasSubstr("has version 0"));
  EXPECT_THAT(refusal_after_header([](auto& h) { h.flags = 4; }), HasSubstr("flags 0x4"));
  EXPECT_THAT(refusal_of_bytes("GGUF" + bytes_.substr(4)), HasSubstr("is not a leyden container"));
}

TEST_F(BrokenContainerTest, HeadersThatLieAreRefused) {
  EXPECT_THAT(refusal_after_header([](auto& h) { h.file_bytes += 1; }), HasSubstr("cut off"));
  for (const std::uint64_t far : {std::uint64_t{1} << 40, UINT64_MAX}) {
    EXPECT_THAT(refusal_after_header([&](auto& h) { h.index_offset = far; }), HasSubstr("index"));
    EXPECT_THAT(refusal_after_header([&](auto& h) { h.index_bytes = far; }), HasSubstr("index"));
  }
}

TEST_F(BrokenContainerTest, TensorsThatLieAreRefused) {
  EXPECT_EQ(refusal_after_index([](Json&) {}), "");
  EXPECT_THAT(refusal_of_tensor(0, "rows", 600), HasSubstr("tensor 'embed' has"));
  EXPECT_THAT(refusal_of_tensor(0, "rows", 0), HasSubstr("'tensors[0].rows' is 0"));
  EXPECT_THAT(refusal_of_tensor(0, "rows", -1), HasSubstr("'tensors[0].rows' is -1"));
  EXPECT_THAT(refusal_of_tensor(1, "rows", INT64_MAX), HasSubstr("'tensors[1].rows'"));
  EXPECT_THAT(refusal_of_tensor(1, "count", 2147483647), HasSubstr("layers.0.experts.gate"));
  EXPECT_THAT(refusal_of_tensor(0, "count", 2), HasSubstr("plain rows is one matrix"));
  EXPECT_THAT(refusal_of_tensor(0, "format", "int4"), HasSubstr("row-major matrices"));
  EXPECT_THAT(refusal_of_tensor(0, "format", "int3"), HasSubstr("'tensors[0].format'"));
  EXPECT_THAT(refusal_of_tensor(0, "layout", "columns"), HasSubstr("\"rows\" or \"tiles\""));
  EXPECT_THAT(refusal_of_tensor(0, "bytes", 64), HasSubstr("has 64 bytes, expected"));
  EXPECT_THAT(refusal_of_tensor(0, "xxh3", "12"), HasSubstr("32 hexadecimal digits"));
  EXPECT_THAT(refusal_of_tensor(2, "name", "embed"), HasSubstr("the name 'embed' twice"));
  EXPECT_THAT(refusal_of_tensor(2, "name", ""), HasSubstr("twice or empty"));
  EXPECT_THAT(refusal_of_tensor(2, "name", "other"), HasSubstr("'fingerprint' is"));
  EXPECT_THAT(refusal_of_tensor(1, "offset", 4096), HasSubstr("a multiple of 2097152"));
  EXPECT_THAT(refusal_of_tensor(0, "offset", 65), HasSubstr("a multiple of 64"));
  EXPECT_THAT(refusal_of_tensor(0, "offset", 64), HasSubstr("overlaps"));
  EXPECT_THAT(refusal_of_tensor(0, "offset", 0), HasSubstr("overlaps what ends at byte 64"));
  EXPECT_THAT(refusal_of_tensor(1, "offset", std::int64_t{1} << 40),
              HasSubstr("beyond the end of the data"));
  EXPECT_THAT(refusal_after_index([](Json& index) {
                index["blobs"][0]["bytes"] = 65;  // 64 to 128: one byte too many
                index["blobs"][1]["offset"] = 128;
              }),
              HasSubstr("'tokenizer.json' at byte 128 overlaps what ends at byte 129"));
  EXPECT_THAT(refusal_after_index([](Json& index) { index["blobs"].erase(0); }),
              HasSubstr("'fingerprint'"));
  EXPECT_THAT(refusal_after_index([](Json& index) { index.erase("tensors"); }),
              HasSubstr("'tensors' is missing"));
}

TEST(IsContainerTest, IsFalseForAnythingElse) {
  TempDirectory dir;
  EXPECT_FALSE(is_container(dir.path()));
  EXPECT_FALSE(is_container(dir.path() / "none"));
  EXPECT_FALSE(is_container(dir.write("short", "\x89LEY")));
  EXPECT_FALSE(is_container(dir.write("other", "GGUF and more bytes")));
}

}  // namespace
}  // namespace leyden::formats
