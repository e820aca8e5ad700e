#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "formats/container_reader.h"
#include "tests/formats/container_fixture.h"
#include "tests/formats/refusal.h"

namespace leyden::formats {
namespace {

using leyden::fixtures::refusal_of;
using ::testing::AllOf;
using ::testing::HasSubstr;

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

TEST_F(ContainerTest, LayersBehindThoseOfTheConfigMustPredictFurtherTokens) {
  const TensorSpec norm{"layers.61.attn_norm", Layout::kRows, WeightFormat::kF32, 1, 1, 16};
  const TensorSpec eh_proj{"layers.61.mtp.eh_proj", Layout::kRows, WeightFormat::kF32, 1, 1, 16};
  const auto refusal_with = [&](const std::vector<TensorSpec>& specs) {
    ContainerWriter writer(path_, "int4", blobs(), specs);
    for (std::size_t i = 0; i < specs.size(); ++i) {
      writer.write(i, 0, std::vector<std::byte>(specs[i].bytes()));
    }
    writer.finish();
    return refusal_of([&] { ContainerReader reader(path_); });
  };
  EXPECT_EQ(refusal_with({norm, eh_proj}), "");
  EXPECT_THAT(refusal_with({norm}),
              AllOf(HasSubstr("model.leyden: tensor 'layers.61.attn_norm' is of a layer"),
                    HasSubstr("num_hidden_layers is 61"), HasSubstr("'layers.61.mtp.eh_proj'")));
}

}  // namespace
}  // namespace leyden::formats
