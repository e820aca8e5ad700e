#include "formats/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "formats/json.h"
#include "formats/load_error.h"

namespace leyden::formats {
namespace {

using testing::HasSubstr;

const std::string kConfigs = LEYDEN_TEST_DATA "/formats/configs/";

ModelConfig released(const std::string& name) {
  return parse_model_config(read_text_file(kConfigs + name + ".json"), name + ".json");
}

/// The sentence a config is refused with, or "" if it is accepted.
std::string refusal(const std::string& text) {
  try {
    parse_model_config(text, "config.json");
  } catch (const LoadError& error) {
    return error.what();
  }
  return "";
}

/// The sentence that V3.2's config is refused with after `edit`.
std::string refusal_after(const std::function<void(Json&)>& edit) {
  Json json = read_json_file(kConfigs + "deepseek-v3.2.json");
  edit(json);
  return refusal(json.dump());
}

std::string refusal_of(const std::string& field, const Json& value) {
  return refusal_after([&](Json& json) { json[field] = value; });
}

TEST(ModelConfigTest, ReadsDeepSeekV32) {
  const ModelConfig c = released("deepseek-v3.2");
  EXPECT_EQ(c.architecture, Architecture::kDeepseekV32);
  EXPECT_EQ(c.model_type, "deepseek_v32");
  EXPECT_EQ(c.hidden_size, 7168);
  EXPECT_EQ(c.num_hidden_layers, 61);
  EXPECT_EQ(c.first_k_dense_replace, 3);
  EXPECT_EQ(c.num_attention_heads, 128);
  EXPECT_EQ(c.q_lora_rank, 1536);
  EXPECT_EQ(c.kv_lora_rank, 512);
  EXPECT_EQ(c.qk_head_dim(), 192);
  EXPECT_EQ(c.v_head_dim, 128);
  EXPECT_EQ(c.intermediate_size, 18432);
  EXPECT_EQ(c.moe_intermediate_size, 2048);
  EXPECT_EQ(c.n_routed_experts, 256);
  EXPECT_EQ(c.num_experts_per_tok, 8);
  EXPECT_EQ(c.n_shared_experts, 1);
  EXPECT_EQ(c.n_group, 8);
  EXPECT_EQ(c.topk_group, 4);
  EXPECT_EQ(c.scoring_func, ScoringFunc::kSigmoid);
  EXPECT_EQ(c.topk_method, TopkMethod::kNoauxTc);
  EXPECT_TRUE(c.norm_topk_prob);
  EXPECT_EQ(c.routed_scaling_factor, 2.5);
  EXPECT_EQ(c.index_n_heads, 64);
  EXPECT_EQ(c.index_head_dim, 128);
  EXPECT_EQ(c.index_topk, 2048);
  EXPECT_FALSE(c.indexer_rope_interleave);
  EXPECT_EQ(c.vocab_size, 129280);
  EXPECT_EQ(c.rms_norm_eps, 1e-6);
  EXPECT_EQ(c.max_position_embeddings, 163840);
  EXPECT_EQ(c.num_nextn_predict_layers, 1);
  EXPECT_TRUE(c.ue8m0_scales);
  EXPECT_EQ(c.bos_token_id, 0);
  EXPECT_EQ(c.eos_token_ids, std::vector<int>{1});
  ASSERT_TRUE(c.rope_scaling);
  EXPECT_EQ(c.rope_scaling->factor, 40);
  EXPECT_EQ(c.rope_scaling->original_max_position_embeddings, 4096);
  EXPECT_EQ(c.rope_scaling->mscale_all_dim, 1);
  EXPECT_FALSE(c.is_moe_layer(2));
  EXPECT_TRUE(c.is_moe_layer(3));
}

TEST(ModelConfigTest, ReadsV2LiteWithoutQueryLatentAndIndexer) {
  const ModelConfig c = released("deepseek-v2-lite");
  EXPECT_EQ(c.q_lora_rank, 0);
  EXPECT_EQ(c.scoring_func, ScoringFunc::kSoftmax);
  EXPECT_EQ(c.topk_method, TopkMethod::kGreedy);
  EXPECT_FALSE(c.norm_topk_prob);
  EXPECT_FALSE(c.has_indexer());
  EXPECT_EQ(c.rope_scaling->mscale_all_dim, 0.707);
}

TEST(ModelConfigTest, ReadsGlmWhoseRopeSitsInAnObjectOfItsOwn) {
  const ModelConfig c = released("glm-5.1");
  EXPECT_EQ(c.architecture, Architecture::kGlmMoeDsa);
  EXPECT_EQ(c.rope_theta, 1e6);
  EXPECT_FALSE(c.rope_scaling);
  EXPECT_TRUE(c.indexer_rope_interleave);
  EXPECT_EQ(c.eos_token_ids, (std::vector<int>{154820, 154827, 154829}));
  EXPECT_FALSE(c.bos_token_id);
}

TEST(ModelConfigTest, EveryReleasedConfigSurvivesTheWayThroughJson) {
  int n_configs = 0;
  for (const char* dir : {"/formats/configs", "/oracle/checkpoints"}) {
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(std::string(LEYDEN_TEST_DATA) + dir)) {
      const std::string file = entry.path().filename().string();
      if (entry.path().extension() != ".json" || file.find("index") != std::string::npos) continue;
      const ModelConfig config = parse_model_config(read_text_file(entry.path()), file);
      EXPECT_EQ(parse_model_config(to_json(config), "again.json"), config) << entry.path();
      ++n_configs;
    }
  }
  EXPECT_EQ(n_configs, 13);
}

TEST(ModelConfigTest, FillsInWhatNewerTransformersLeaveOut) {
  EXPECT_EQ(refusal_after([](Json& json) {
              for (const char* field : {"scoring_func", "topk_method", "moe_layer_freq", "ep_size",
                                        "num_key_value_heads", "quantization_config"}) {
                json.erase(field);
              }
            }),
            "");
}

TEST(ModelConfigTest, NamesAnArchitectureItCannotRun) {
  EXPECT_THAT(refusal_of("architectures", {"LlamaForCausalLM"}),
              HasSubstr("config.json: the model's architecture is 'LlamaForCausalLM', which"));
  EXPECT_THAT(refusal_of("architectures", "x"), HasSubstr("field 'architectures' is \"x\""));
  EXPECT_THAT(refusal_of("architectures", Json::array()), HasSubstr("'architectures'"));
  EXPECT_THAT(refusal_of("architectures", nullptr), HasSubstr("'architectures' is missing"));
}

TEST(ModelConfigTest, NamesTheFieldOfAWrongValue) {
  EXPECT_EQ(refusal_of("hidden_size", "7168"),
            "config.json: field 'hidden_size' is \"7168\", expected an integer from 1 to "
            "2147483647");
  EXPECT_THAT(refusal_of("hidden_size", 7168.5), HasSubstr("'hidden_size' is 7168.5"));
  EXPECT_THAT(refusal_of("hidden_size", 0), HasSubstr("'hidden_size'"));
  EXPECT_THAT(refusal_of("hidden_size", -1), HasSubstr("'hidden_size' is -1"));
  EXPECT_THAT(refusal_of("hidden_size", 1u << 30), HasSubstr("'hidden_size'"));
  EXPECT_THAT(refusal_of("hidden_size", UINT64_MAX), HasSubstr("18446744073709551615"));
  EXPECT_THAT(refusal_of("num_hidden_layers", nullptr),
              HasSubstr("field 'num_hidden_layers' is missing"));
  EXPECT_THAT(refusal_of("num_hidden_layers", 1000000000), HasSubstr("'num_hidden_layers'"));
  EXPECT_THAT(refusal_of("scoring_func", "tanh"), HasSubstr("\"sigmoid\", \"softmax\""));
  EXPECT_THAT(refusal_of("topk_method", "best"), HasSubstr("\"noaux_tc\""));
  EXPECT_THAT(refusal_of("hidden_act", "gelu"), HasSubstr("\"silu\""));
  EXPECT_THAT(refusal_of("attention_bias", true), HasSubstr("'attention_bias' is true"));
  EXPECT_THAT(refusal_of("moe_layer_freq", 2), HasSubstr("'moe_layer_freq' is 2"));
  EXPECT_THAT(refusal_of("rms_norm_eps", 0), HasSubstr("'rms_norm_eps'"));
  EXPECT_THAT(refusal_of("rope_theta", 1), HasSubstr("'rope_theta'"));
  EXPECT_THAT(refusal_of("eos_token_id", 129280), HasSubstr("'eos_token_id' is 129280"));
  EXPECT_THAT(refusal_of("eos_token_id", {1, -2}), HasSubstr("'eos_token_id[1]' is -2"));
  EXPECT_THAT(refusal_of("bos_token_id", -1), HasSubstr("'bos_token_id'"));
}

TEST(ModelConfigTest, NamesWhatContradictsEachOther) {
  EXPECT_THAT(refusal_of("num_experts_per_tok", 300), HasSubstr("'num_experts_per_tok'"));
  EXPECT_THAT(refusal_of("num_experts_per_tok", 129),
              HasSubstr("topk_group 4 groups of 32 experts hold only 128"));
  EXPECT_THAT(refusal_of("n_group", 7), HasSubstr("n_group 7 doesn't divide"));
  EXPECT_THAT(refusal_of("n_group", 256), HasSubstr("groups of 1 experts hold only 4"));
  EXPECT_THAT(refusal_of("topk_group", 9), HasSubstr("'topk_group' is 9"));
  EXPECT_THAT(refusal_of("first_k_dense_replace", 62), HasSubstr("'first_k_dense_replace'"));
  EXPECT_THAT(refusal_of("qk_rope_head_dim", 63), HasSubstr("RoPE turns pairs"));
  EXPECT_THAT(refusal_of("index_head_dim", 96), HasSubstr("a power of two"));
  for (const int beyond_kernels : {2, 256}) {
    EXPECT_THAT(refusal_of("index_head_dim", beyond_kernels), HasSubstr("a value from 4 to 128"));
  }
  EXPECT_THAT(refusal_of("index_head_dim", 32), HasSubstr("at least qk_rope_head_dim 64"));
  EXPECT_THAT(refusal_of("index_topk", nullptr), HasSubstr("'index_topk' is missing"));
  EXPECT_THAT(refusal_of("q_lora_rank", nullptr), HasSubstr("needs the query latent"));
  EXPECT_THAT(refusal_of("architectures", {"DeepseekV3ForCausalLM"}), HasSubstr("'index_topk'"));
  EXPECT_THAT(refusal_after([](Json& json) {
                json["hidden_size"] = 1 << 20;
                json["intermediate_size"] = 1 << 20;
                json["num_hidden_layers"] = 4096;
              }),
              HasSubstr("parameters"));
}

TEST(ModelConfigTest, NamesRopeScalingItCannotRun) {
  const auto edited = [](const char* field, const Json& value) {
    return refusal_after([&](Json& json) { json["rope_scaling"][field] = value; });
  };
  EXPECT_THAT(edited("type", "linear"), HasSubstr("'rope_scaling.type' is \"linear\""));
  EXPECT_THAT(edited("factor", nullptr), HasSubstr("'rope_scaling.factor' is missing"));
  EXPECT_THAT(edited("factor", 0.5), HasSubstr("rope_scaling.factor"));
  EXPECT_THAT(edited("factor", "40"), HasSubstr("rope_scaling.factor"));
  EXPECT_THAT(edited("beta_slow", 64), HasSubstr("larger than beta_fast"));
  EXPECT_THAT(refusal_of("rope_scaling", 4), HasSubstr("'rope_scaling' is 4, expected an object"));
}

TEST(ModelConfigTest, NamesQuantizationItCannotRead) {
  const auto edited = [](const char* field, const Json& value) {
    return refusal_after([&](Json& json) { json["quantization_config"][field] = value; });
  };
  EXPECT_THAT(edited("quant_method", "gptq"), HasSubstr("'quantization_config.quant_method'"));
  EXPECT_THAT(edited("weight_block_size", {64, 64}), HasSubstr("[128, 128]"));
  EXPECT_THAT(edited("weight_block_size", nullptr), HasSubstr("weight_block_size' is missing"));
  EXPECT_THAT(edited("fmt", "e5m2"), HasSubstr("\"e4m3\""));
}

TEST(ModelConfigTest, RefusesTextThatIsNoConfig) {
  for (const char* text : {"", "{", "[]", "null", "{}", "{\"a\":1,\"a\":2}", "\xff"}) {
    EXPECT_THAT(refusal(text), HasSubstr("config.json: ")) << text;
  }
}

}  // namespace
}  // namespace leyden::formats
