#include "formats/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "formats/json.h"
#include "formats/safetensors.h"
#include "quant/number.h"
#include "tests/formats/refusal.h"
#include "tests/formats/safetensors_text.h"
#include "tests/formats/temp_directory.h"

namespace leyden::formats {
namespace {

namespace fs = std::filesystem;
using leyden::fixtures::refusal_of;
using leyden::fixtures::safetensors_text;
using leyden::fixtures::TempDirectory;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const fs::path kCheckpoints = LEYDEN_TEST_DATA "/oracle/checkpoints";

std::vector<float> read_all(const Checkpoint& checkpoint, const CheckpointTensor& tensor) {
  std::vector<float> values(static_cast<std::size_t>(tensor.rows() * tensor.cols()));
  checkpoint.read_rows_f32(tensor, 0, tensor.rows(), values.data());
  return values;
}

/// A copy of an oracle checkpoint that a test may break.
class BrokenCheckpointTest : public ::testing::Test {
 protected:
  explicit BrokenCheckpointTest(const std::string& name = "v32-tiny-bf16") {
    fs::copy(kCheckpoints / name, dir_.path(), fs::copy_options::recursive);
    for (const auto& entry : fs::directory_iterator(dir_.path())) {
      fs::permissions(entry.path(), fs::perms::owner_all);
    }
  }
  std::string refusal() {
    return refusal_of([&] { Checkpoint::open(dir_.path()); });
  }
  void edit_index(const std::function<void(Json& weight_map)>& edit) {
    const fs::path path = dir_.path() / "model.safetensors.index.json";
    Json index = read_json_file(path);
    edit(index["weight_map"]);
    dir_.write("model.safetensors.index.json", index.dump());
  }

  TempDirectory dir_;
};

TEST(CheckpointTest, OpensEveryOracleCheckpoint) {
  for (const auto& entry : fs::directory_iterator(kCheckpoints)) {
    const auto checkpoint = Checkpoint::open(entry.path());
    const ModelConfig& c = checkpoint->config();
    EXPECT_EQ(checkpoint->config_text(), read_text_file(entry.path() / "config.json"));
    const auto& embed =
        checkpoint->require("model.embed_tokens.weight", c.vocab_size, c.hidden_size);
    const auto& norm = checkpoint->require("model.norm.weight", 1, c.hidden_size);
    refuse_non_finite(embed, 0, read_all(*checkpoint, embed));
    refuse_non_finite(norm, 0, read_all(*checkpoint, norm));
    EXPECT_EQ(checkpoint->companion("tokenizer.json"), std::nullopt);
    for (const CheckpointTensor& tensor : checkpoint->tensors()) {
      EXPECT_FALSE(tensor.name.ends_with("_scale_inv"));
      EXPECT_EQ(checkpoint->find(tensor.name), &tensor);
    }
  }
}

/// Reads an FP8 tensor by the book, from the files alone.
std::vector<double> fp8_by_definition(const fs::path& file, const std::string& name) {
  const InputFile input(file);
  std::vector<std::uint8_t> codes;
  std::vector<float> scales;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  for (const SafetensorsEntry& entry : read_safetensors_header(input)) {
    if (entry.name == name) {
      rows = entry.shape[0];
      cols = entry.shape[1];
      codes.resize(entry.bytes);
      input.read_exact(entry.offset, std::as_writable_bytes(std::span(codes)));
    }
    if (entry.name == name + "_scale_inv") {
      scales.resize(entry.bytes / sizeof(float));
      input.read_exact(entry.offset, std::as_writable_bytes(std::span(scales)));
    }
  }
  std::vector<double> values;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) {
      const double code = quant::e4m3_to_f32(codes[static_cast<std::size_t>(i * cols + j)]);
      values.push_back(code *
                       scales[static_cast<std::size_t>(i / 128 * ((cols + 127) / 128) + j / 128)]);
    }
  }
  return values;
}

TEST(CheckpointTest, Fp8BlocksAreScaledAndCroppedAtTheEdges) {
  const fs::path dir = kCheckpoints / "v3-tiny-fp8";
  const auto checkpoint = Checkpoint::open(dir);
  int n_cropped = 0;
  for (const CheckpointTensor& tensor : checkpoint->tensors()) {
    if (tensor.type != TensorType::kF8E4m3) continue;
    const std::vector<float> values = read_all(*checkpoint, tensor);
    const std::vector<double> expected = fp8_by_definition(dir / "model.safetensors", tensor.name);
    ASSERT_EQ(values.size(), expected.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      ASSERT_EQ(values[i], static_cast<float>(expected[i])) << tensor.name << " " << i;
    }
    n_cropped += tensor.rows() > 128 && tensor.rows() % 128 != 0 && tensor.cols() > 128;
  }
  EXPECT_GT(n_cropped, 0);
}

TEST(CheckpointTest, AnyRangeOfRowsFromAnyThreadEqualsTheWhole) {
  for (const char* name : {"v3-tiny-fp8", "v3-tiny-bf16"}) {
    const auto checkpoint = Checkpoint::open(kCheckpoints / name);
    const auto& tensor = *checkpoint->find("model.layers.0.self_attn.kv_b_proj.weight");
    const std::vector<float> whole = read_all(*checkpoint, tensor);
    const auto compare = [&](std::int64_t step) {
      std::vector<float> part(static_cast<std::size_t>(step * tensor.cols()));
      for (std::int64_t row = 0; row < tensor.rows(); row += step) {
        const std::int64_t end = std::min(row + step, tensor.rows());
        checkpoint->read_rows_f32(tensor, row, end, part.data());
        EXPECT_TRUE(std::equal(part.begin(), part.begin() + (end - row) * tensor.cols(),
                               whole.begin() + row * tensor.cols()));
      }
    };
    std::vector<std::thread> threads;
    for (const std::int64_t step : {1, 7, 100, 129}) threads.emplace_back(compare, step);
    for (std::thread& thread : threads) thread.join();
  }
}

TEST(CheckpointTest, RawRowsAreTheBytesOfTheFile) {
  const auto checkpoint = Checkpoint::open(kCheckpoints / "v3-tiny-fp8");
  const auto& tensor = *checkpoint->find("model.layers.0.self_attn.kv_b_proj.weight");
  std::vector<std::byte> raw(static_cast<std::size_t>(2 * tensor.cols()));
  checkpoint->read_rows_raw(tensor, 3, 5, raw);
  std::vector<std::byte> expected(raw.size());
  InputFile(tensor.file)
      .read_exact(tensor.offset + 3 * static_cast<std::uint64_t>(tensor.cols()), expected);
  EXPECT_EQ(raw, expected);
}

TEST(CheckpointTest, RequireNamesWhatItFoundAndExpected) {
  const auto checkpoint = Checkpoint::open(kCheckpoints / "v3-tiny-bf16");
  EXPECT_THAT(refusal_of([&] { checkpoint->require("model.nothing", 1, 1); }),
              HasSubstr("tensor 'model.nothing' is missing"));
  EXPECT_THAT(refusal_of([&] {
                checkpoint->require("lm_head.weight", 128, 160, "[hidden 128, vocab 160]");
              }),
              ::testing::ContainsRegex(
                  "model.safetensors: tensor 'lm_head.weight' at byte [0-9]+: shape is "
                  ".160, 128., expected .128, 160. = .hidden 128, vocab 160."));
}

TEST(CheckpointTest, NamesTheFirstValueThatIsNotFinite) {
  const CheckpointTensor tensor{"w", TensorType::kF32, {4, 3}, "x.safetensors", 64, 48};
  std::vector<float> rows(6, 1.0f);
  EXPECT_EQ(refusal_of([&] { refuse_non_finite(tensor, 2, rows); }), "");
  rows[4] = std::nanf("");
  EXPECT_EQ(refusal_of([&] { refuse_non_finite(tensor, 2, rows); }),
            "x.safetensors: tensor 'w' at byte 64: value nan in row 3, column 1, expected finite "
            "weights");
}

TEST(CheckpointTest, ReadsEveryPlainTypeAndRefusesTheRest) {
  TempDirectory dir;
  fs::copy(kCheckpoints / "v3-tiny-bf16" / "config.json", dir.path());
  dir.write("weights.safetensors",
            safetensors_text(R"({"f16":{"dtype":"F16","shape":[2],"data_offsets":[1,5]},)"
                             R"("odd":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                             R"("f32":{"dtype":"F32","shape":[],"data_offsets":[5,9]}})",
                             9));
  const auto checkpoint = Checkpoint::open(dir.path());
  EXPECT_THAT(read_all(*checkpoint, *checkpoint->find("f16")),
              ElementsAre(quant::fp16_to_f32(0x0201), quant::fp16_to_f32(0x0403)));
  EXPECT_THAT(read_all(*checkpoint, *checkpoint->find("f32")),
              ElementsAre(std::bit_cast<float>(0x08070605u)));
  EXPECT_THAT(refusal_of([&] { read_all(*checkpoint, *checkpoint->find("odd")); }),
              HasSubstr("is U8, expected F32, F16, BF16 or F8_E4M3"));
}

TEST_F(BrokenCheckpointTest, NamesAMissingShard) {
  fs::remove(dir_.path() / "model-00002-of-00003.safetensors");
  EXPECT_THAT(refusal(), HasSubstr("model-00002-of-00003.safetensors: is missing, but"));
}

TEST_F(BrokenCheckpointTest, NamesSwappedShards) {
  fs::rename(dir_.path() / "model-00001-of-00003.safetensors", dir_.path() / "x");
  fs::rename(dir_.path() / "model-00002-of-00003.safetensors",
             dir_.path() / "model-00001-of-00003.safetensors");
  fs::rename(dir_.path() / "x", dir_.path() / "model-00002-of-00003.safetensors");
  EXPECT_THAT(refusal(), HasSubstr("is not expected here by"));
}

TEST_F(BrokenCheckpointTest, NamesATensorThatTheShardLacks) {
  edit_index([](Json& map) { map["model.extra"] = "model-00001-of-00003.safetensors"; });
  EXPECT_THAT(refusal(), HasSubstr("tensor 'model.extra' is missing, expected here by"));
}

TEST_F(BrokenCheckpointTest, NamesATensorInTheWrongShard) {
  edit_index([](Json& map) { map["model.norm.weight"] = "model-00001-of-00003.safetensors"; });
  EXPECT_THAT(refusal(), HasSubstr("'model.norm.weight'"));
}

TEST_F(BrokenCheckpointTest, NeverLeavesTheDirectory) {
  for (const char* name : {"../model.safetensors", "/etc/passwd", "..", "", "a/b"}) {
    edit_index([&](Json& map) { map["model.norm.weight"] = name; });
    EXPECT_THAT(refusal(), HasSubstr("the name of a file in the same directory")) << name;
  }
}

TEST_F(BrokenCheckpointTest, NamesWhatTheDirectoryLacks) {
  fs::remove(dir_.path() / "model.safetensors.index.json");
  EXPECT_THAT(refusal(), HasSubstr("holds 3 safetensors files, but no"));
  for (const char* shard : {"1", "2", "3"}) {
    fs::remove(dir_.path() / (std::string("model-0000") + shard + "-of-00003.safetensors"));
  }
  EXPECT_THAT(refusal(), HasSubstr("holds no weights"));
  fs::remove(dir_.path() / "config.json");
  EXPECT_THAT(refusal(), HasSubstr("config.json: can't open"));
  EXPECT_THAT(refusal_of([&] { Checkpoint::open(dir_.path() / "none"); }),
              HasSubstr("no such file or directory"));
  const fs::path other = dir_.write("other", "something else");
  EXPECT_THAT(refusal_of([&] { Checkpoint::open(other); }),
              HasSubstr("is neither a checkpoint directory nor a GGUF file"));
  const fs::path container = dir_.write("model.leyden", "\x89LEYDEN\n");
  EXPECT_THAT(refusal_of([&] { Checkpoint::open(container); }),
              HasSubstr("is a leyden container, expected original weights"));
}

TEST(Fp8CheckpointTest, NamesScalesThatDontFit) {
  TempDirectory dir;
  fs::copy(kCheckpoints / "v3-tiny-fp8" / "config.json", dir.path());
  const auto refusal_with = [&](const std::string& header, std::size_t bytes) {
    dir.write("model.safetensors", safetensors_text("{" + header + "}", bytes));
    return refusal_of([&] { Checkpoint::open(dir.path()); });
  };
  const std::string weight = R"("w":{"dtype":"F8_E4M3","shape":[130,2],"data_offsets":[0,260]})";
  EXPECT_THAT(refusal_with(weight, 260), HasSubstr("its scales 'w_scale_inv' are missing"));
  EXPECT_THAT(refusal_with(weight + R"(,"w_scale_inv":{"dtype":"F32","shape":[1,1],)"
                                    R"("data_offsets":[260,264]})",
                           264),
              HasSubstr("is F32 [1, 1], expected F32 [2, 1]: one scale per 128 x 128 block of "
                        "[130, 2]"));
  EXPECT_THAT(refusal_with(R"("w_scale_inv":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})", 4),
              HasSubstr("no F8_E4M3 tensor they belong to"));
  EXPECT_THAT(refusal_with(R"("w":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]},)"
                           R"("w_scale_inv":{"dtype":"F32","shape":[1],"data_offsets":[4,8]})",
                           8),
              HasSubstr("1 dimensions, expected a matrix"));
}

}  // namespace
}  // namespace leyden::formats
