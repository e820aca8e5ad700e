#include "formats/gguf_checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "formats/gguf_parts.h"
#include "formats/json.h"
#include "formats/json_field.h"
#include "formats/row_reader.h"
#include "formats/tokenizer_file.h"
#include "tests/formats/comma_locale.h"
#include "tests/formats/gguf_text.h"
#include "tests/formats/sha256.h"

namespace leyden::formats {
namespace {

namespace fs = std::filesystem;
using leyden::fixtures::kGgufModels;
using leyden::fixtures::Sha256;

std::string hash_of(const std::vector<float>& values) {
  return Sha256::hex(std::as_bytes(std::span(values)));
}

class GgufModelTest : public ::testing::TestWithParam<const char*> {
 protected:
  GgufModelTest()
      : expected_(read_json_file(kGgufModels / (std::string(GetParam()) + ".expected.json"))),
        path_(kGgufModels / expected_["files"][0]["file"].get<std::string>()) {}

  std::vector<float> read(const Checkpoint& checkpoint, const std::string& name) const {
    const CheckpointTensor* tensor = checkpoint.find(name);
    if (tensor == nullptr) {
      ADD_FAILURE() << name << " is missing";
      return {};
    }
    std::vector<float> values(static_cast<std::size_t>(tensor->rows() * tensor->cols()));
    checkpoint.read_rows_f32(*tensor, 0, tensor->rows(), values.data());
    return values;
  }

  Json expected_;
  fs::path path_;
};

TEST_P(GgufModelTest, TheConfigIsThatOfTheOriginal) {
  const auto checkpoint = Checkpoint::open(path_);
  EXPECT_EQ(checkpoint->config(), parse_model_config(expected_["config"].dump(), "config"));
  EXPECT_EQ(parse_model_config(checkpoint->config_text(), "again"), checkpoint->config());
}

TEST_P(GgufModelTest, TheConfigIsTheSameWhereDecimalsHaveAComma) {
  const ModelConfig config = parse_model_config(expected_["config"].dump(), "config");
  const fixtures::CommaLocale locale;
  if (!locale.works()) GTEST_SKIP() << "the C library takes no such locale";
  EXPECT_EQ(Checkpoint::open(path_)->config(), config);
}

TEST_P(GgufModelTest, EveryTensorLiesWhereExpectedAndHoldsTheExpectedValues) {
  const auto parts = open_gguf_parts(path_);
  std::size_t n_tensors = 0;
  for (const GgufFile& part : parts) n_tensors += part.tensors().size();
  EXPECT_EQ(n_tensors, expected_["tensors"].size());
  for (const Json& expected : expected_["tensors"]) {
    const GgufFile& part = parts.at(expected["file"].get<std::size_t>());
    const auto& all = part.tensors();
    const auto found = std::find_if(all.begin(), all.end(), [&](const GgufTensor& tensor) {
      return tensor.name == expected["name"].get<std::string>();
    });
    ASSERT_NE(found, all.end()) << expected["name"];
    EXPECT_EQ(name(found->type), expected["type"].get<std::string>());
    EXPECT_EQ(found->offset, expected["offset"].get<std::uint64_t>());
    EXPECT_EQ(found->bytes, expected["bytes"].get<std::uint64_t>());
    std::vector<std::int64_t> shape = expected["ne"].get<std::vector<std::int64_t>>();
    std::reverse(shape.begin(), shape.end());
    EXPECT_EQ(found->shape, shape);
    const std::int64_t cols = shape.back();
    std::int64_t rows = 1;
    for (std::size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
    std::vector<float> values(static_cast<std::size_t>(rows * cols));
    read_rows_f32({&part.file(), found->offset, found->type, rows, cols}, 0, rows, values.data());
    EXPECT_EQ(hash_of(values), expected["f32_sha256"].get<std::string>()) << found->name;
  }
}

TEST_P(GgufModelTest, HuggingFaceNamesHoldTheSameValues) {
  const auto checkpoint = Checkpoint::open(path_);
  const ModelConfig& c = checkpoint->config();
  const auto expected_hash = [&](const std::string& gguf_name) {
    for (const Json& tensor : expected_["tensors"]) {
      if (tensor["name"] == gguf_name) return tensor["f32_sha256"].get<std::string>();
    }
    return std::string("no tensor " + gguf_name);
  };
  EXPECT_EQ(hash_of(read(*checkpoint, "lm_head.weight")), expected_hash("output.weight"));
  for (int layer = 0; layer < c.num_hidden_layers + c.num_nextn_predict_layers; ++layer) {
    const std::string hf = "model.layers." + std::to_string(layer) + ".";
    const std::string gguf = "blk." + std::to_string(layer) + ".";
    EXPECT_EQ(hash_of(read(*checkpoint, hf + "self_attn.o_proj.weight")),
              expected_hash(gguf + "attn_output.weight"));
    if (c.is_moe_layer(layer)) {
      std::vector<float> stacked;
      for (int expert = 0; expert < c.n_routed_experts; ++expert) {
        const auto one =
            read(*checkpoint, hf + "mlp.experts." + std::to_string(expert) + ".down_proj.weight");
        stacked.insert(stacked.end(), one.begin(), one.end());
      }
      EXPECT_EQ(hash_of(stacked), expected_hash(gguf + "ffn_down_exps.weight"));
    }
    // kv_b_proj [heads, nope | v, latent] against attn_k_b [heads, latent, nope] and attn_v_b.
    const std::vector<float> kv_b = read(*checkpoint, hf + "self_attn.kv_b_proj.weight");
    std::vector<float> keys;
    std::vector<float> values;
    const int head_rows = c.qk_nope_head_dim + c.v_head_dim;
    const auto at = [&](int head, int row, int col) {
      return kv_b.at(static_cast<std::size_t>((head * head_rows + row) * c.kv_lora_rank + col));
    };
    for (int head = 0; head < c.num_attention_heads; ++head) {
      for (int col = 0; col < c.kv_lora_rank; ++col) {
        for (int row = 0; row < c.qk_nope_head_dim; ++row) keys.push_back(at(head, row, col));
      }
      for (int row = c.qk_nope_head_dim; row < head_rows; ++row) {
        for (int col = 0; col < c.kv_lora_rank; ++col) values.push_back(at(head, row, col));
      }
    }
    EXPECT_EQ(hash_of(keys), expected_hash(gguf + "attn_k_b.weight"));
    EXPECT_EQ(hash_of(values), expected_hash(gguf + "attn_v_b.weight"));
  }
}

TEST_P(GgufModelTest, AnyRangeOfRowsEqualsTheWhole) {
  const auto checkpoint = Checkpoint::open(path_);
  for (const char* name : {"self_attn.kv_b_proj.weight", "mlp.experts.3.up_proj.weight"}) {
    const std::string full = std::string("model.layers.1.") + name;
    const CheckpointTensor& tensor = *checkpoint->find(full);
    const std::vector<float> whole = read(*checkpoint, full);
    for (const std::int64_t step : {1, 13, 40}) {
      std::vector<float> part(static_cast<std::size_t>(step * tensor.cols()));
      for (std::int64_t row = 0; row < tensor.rows(); row += step) {
        const std::int64_t end = std::min(row + step, tensor.rows());
        checkpoint->read_rows_f32(tensor, row, end, part.data());
        EXPECT_TRUE(std::equal(part.begin(), part.begin() + (end - row) * tensor.cols(),
                               whole.begin() + row * tensor.cols()))
            << full << " row " << row;
      }
    }
  }
}

TEST_P(GgufModelTest, TheTokenizerIsATokenizerFile) {
  const auto checkpoint = Checkpoint::open(path_);
  const auto text = checkpoint->companion("tokenizer.json");
  ASSERT_TRUE(text);
  const TokenizerSpec spec = parse_tokenizer_json(*text, "tokenizer.json");
  EXPECT_EQ(spec.token_bytes.size(), static_cast<std::size_t>(checkpoint->config().vocab_size));
  EXPECT_EQ(checkpoint->companion("generation_config.json"), std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(All, GgufModelTest,
                         ::testing::Values("v32-small-f32", "v32-small-bf16", "v32-small-q8_0",
                                           "v32-small-q4_0", "v32-small-q8_0-split",
                                           "v32-small-mtp-q8_0", "v32-wide-q4_k_m",
                                           "v3-small-mixed", "v3-deep2-q2_k", "v2lite-27-q4_0"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(GgufCheckpointTest, TheMtpLayerHasItsOwnTensors) {
  const auto checkpoint = Checkpoint::open(kGgufModels / "v32-small-mtp-q8_0.gguf");
  EXPECT_EQ(checkpoint->config().num_hidden_layers, 3);
  EXPECT_EQ(checkpoint->config().num_nextn_predict_layers, 1);
  checkpoint->require("model.layers.3.eh_proj.weight", 64, 128);
  checkpoint->require("model.layers.3.enorm.weight", 1, 64);
  checkpoint->require("model.layers.3.mlp.experts.7.gate_proj.weight", 32, 64);
}

TEST(Sha256Test, IsThatOfTheStandard) {
  const std::string abc = "abc";
  EXPECT_EQ(Sha256::hex(std::as_bytes(std::span(abc))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace leyden::formats
