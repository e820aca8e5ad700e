// The files of section 6 of the GGUF notes: each has crashed or fooled a reader in public.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "formats/checkpoint.h"
#include "formats/gguf_file.h"
#include "formats/json.h"
#include "tests/formats/gguf_text.h"
#include "tests/formats/refusal.h"
#include "tests/formats/temp_directory.h"

namespace leyden::formats {
namespace {

namespace fs = std::filesystem;
using leyden::fixtures::bytes_of;
using leyden::fixtures::gguf_array;
using leyden::fixtures::gguf_f32;
using leyden::fixtures::gguf_i32;
using leyden::fixtures::gguf_string;
using leyden::fixtures::gguf_text_value;
using leyden::fixtures::gguf_u16;
using leyden::fixtures::gguf_u32;
using leyden::fixtures::GgufText;
using leyden::fixtures::kGgufModels;
using leyden::fixtures::refusal_of;
using leyden::fixtures::TempDirectory;
using ::testing::HasSubstr;

/// A good small model, to be broken one way at a time.
class HarmfulGgufTest : public ::testing::Test {
 protected:
  HarmfulGgufTest() : good_(GgufText::of(read_text_file(kGgufModels / "v32-small-q4_0.gguf"))) {}

  /// Opens it and everything that a loader would touch before reading weights.
  std::string refusal(const std::string& bytes) {
    const fs::path path = dir_.write("model.gguf", bytes);
    const std::string sentence = refusal_of([&] {
      const auto checkpoint = Checkpoint::open(path);
      checkpoint->companion("tokenizer.json");
      const ModelConfig& c = checkpoint->config();
      checkpoint->require("model.embed_tokens.weight", c.vocab_size, c.hidden_size);
      checkpoint->require("model.layers.0.self_attn.kv_b_proj.weight",
                          c.num_attention_heads * (c.qk_nope_head_dim + c.v_head_dim),
                          c.kv_lora_rank);
    });
    if (!sentence.empty()) {
      EXPECT_THAT(sentence, HasSubstr("model.gguf: "));
    }
    return sentence;
  }
  std::string refusal_after(const std::function<void(GgufText&)>& edit) {
    GgufText text = good_;
    edit(text);
    return refusal(text.file());
  }
  std::string refusal_with(const std::string& key, const std::string& value) {
    return refusal_after([&](GgufText& text) { text.set(key, value); });
  }
  std::string refusal_with_tensor(const std::function<void(GgufText::Tensor&)>& edit) {
    return refusal_after([&](GgufText& text) { edit(text.tensor("blk.0.attn_q_a.weight")); });
  }

  TempDirectory dir_;
  GgufText good_;
};

constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();

TEST_F(HarmfulGgufTest, TheGoodOneIsAccepted) {
  EXPECT_EQ(refusal(good_.file()), "");
  EXPECT_EQ(good_.file(), read_text_file(kGgufModels / "v32-small-q4_0.gguf"));
  EXPECT_TRUE(is_gguf(kGgufModels / "v32-small-q4_0.gguf"));
  EXPECT_FALSE(is_gguf(kGgufModels));
}

TEST_F(HarmfulGgufTest, OtherFormatsAndVersionsAreNamed) {
  const auto with_magic = [&](const std::string& magic) {
    const fs::path path = dir_.write("model.gguf", magic + good_.file().substr(4));
    return refusal_of([&] { GgufFile file(path); });
  };
  EXPECT_THAT(with_magic("lmgg"), HasSubstr("GGML, the format before GGUF"));
  EXPECT_THAT(with_magic("tjgg"), HasSubstr("GGML, the format before GGUF"));
  EXPECT_THAT(with_magic("PK\x03\x04"), HasSubstr("expected 'GGUF'"));
  EXPECT_THAT(refusal_after([](auto& t) { t.magic = "FUGG"; }), HasSubstr("nor a GGUF file"));
  EXPECT_THAT(refusal_after([](auto& t) { t.version = 1; }), HasSubstr("is 1, expected 2 or 3"));
  EXPECT_THAT(refusal_after([](auto& t) { t.version = 0; }), HasSubstr("is 0, expected 2 or 3"));
  EXPECT_THAT(refusal_after([](auto& t) { t.version = 0x03000000; }), HasSubstr("big-endian"));
  EXPECT_EQ(refusal_after([](auto& t) { t.version = 2; }), "");
}

TEST_F(HarmfulGgufTest, CountsBeyondTheFileAreRefused) {
  for (const std::uint64_t extra :
       {kHuge / 2, kHuge - 1000, std::uint64_t{1} << 58, std::uint64_t{1} << 32}) {
    EXPECT_THAT(refusal_after([&](auto& t) { t.extra_tensors = extra; }),
                HasSubstr("the number of tensors at byte"));
    EXPECT_THAT(refusal_after([&](auto& t) { t.extra_keys = extra; }),
                HasSubstr("the number of keys at byte"));
  }
  EXPECT_NE(refusal_after([](auto& t) { t.extra_keys = 1; }), "");
  EXPECT_NE(refusal_after([](auto& t) { t.extra_tensors = 1; }), "");
}

TEST_F(HarmfulGgufTest, LengthsBeyondTheFileAreRefused) {
  for (const std::uint64_t length : {kHuge, kHuge - 8, std::uint64_t{1} << 40}) {
    EXPECT_THAT(refusal_with("a", bytes_of(std::uint32_t{8}) + bytes_of(length) + "text"),
                HasSubstr("key 'a' at byte"));
    for (const std::uint32_t kind : {0, 4, 8, 10}) {
      EXPECT_THAT(refusal_with("a", gguf_array(kind, length, "elements")),
                  HasSubstr("key 'a' at byte"));
    }
    EXPECT_THAT(refusal_with("a", gguf_array(8, 1, bytes_of(length))),
                HasSubstr("key 'a' at byte"));
  }
  EXPECT_THAT(refusal_with("a", gguf_array(10, kHuge / 8 + 2, "elements")), HasSubstr("'a'"));
}

TEST_F(HarmfulGgufTest, UnknownKindsAndNestedArraysAreRefused) {
  for (const std::uint32_t kind : {13u, 99u, 0x80000000u, 0xffffffffu}) {
    EXPECT_THAT(refusal_with("a", bytes_of(kind) + "12345678"), HasSubstr("unknown kind"));
    EXPECT_THAT(refusal_with("a", gguf_array(kind, 1, "12345678")),
                HasSubstr("expected numbers or strings"));
  }
  std::string nested = gguf_array(0, 1, "x");
  for (int depth = 0; depth < 1000; ++depth) nested = gguf_array(9, 1, nested.substr(4));
  EXPECT_THAT(refusal_with("a", nested), HasSubstr("expected numbers or strings"));
  EXPECT_THAT(refusal_with("a", bytes_of(std::uint32_t{7}) + "\x02"),
              HasSubstr("a bool of 0 or 1"));
}

TEST_F(HarmfulGgufTest, KeysAndNamesComeOnce) {
  EXPECT_THAT(refusal_after([](auto& t) { t.keys.push_back(t.keys.front()); }),
              HasSubstr("comes twice"));
  EXPECT_THAT(refusal_with("", gguf_u32(1)), HasSubstr("has an empty name"));
  EXPECT_THAT(refusal_after([](auto& t) { t.tensors[1].name = t.tensors[0].name; }),
              HasSubstr("comes twice"));
  EXPECT_THAT(refusal_with_tensor([](auto& t) { t.name = ""; }), HasSubstr("a name of 0 bytes"));
  EXPECT_THAT(refusal_with_tensor([](auto& t) { t.name = std::string(64, 'x'); }),
              HasSubstr("a name of 64 bytes"));
}

TEST_F(HarmfulGgufTest, ShapesAreChecked) {
  const auto sized = [&](std::vector<std::uint64_t> sizes) {
    return refusal_with_tensor([&](auto& t) { t.sizes = std::move(sizes); });
  };
  EXPECT_THAT(sized({}), HasSubstr("has 0 dimensions"));
  EXPECT_THAT(sized({64, 32, 1, 1, 1}), HasSubstr("has 5 dimensions"));
  EXPECT_THAT(sized({0, 32}), HasSubstr("has a dimension of 0"));
  EXPECT_THAT(sized({64, 0}), HasSubstr("has a dimension of 0"));
  EXPECT_THAT(sized({kHuge, 1}), HasSubstr("has a dimension of 18446744073709551615"));
  EXPECT_THAT(sized({std::uint64_t{1} << 62, 4, 4}), HasSubstr("is too large"));
  EXPECT_THAT(sized({std::uint64_t{1} << 33, std::uint64_t{1} << 33}), HasSubstr("is too large"));
  EXPECT_THAT(sized({48, 32}), HasSubstr("rows of 48 values, expected a multiple of 32 for Q4_0"));
  EXPECT_THAT(sized({std::uint64_t{1} << 40, 1}), HasSubstr("go beyond"));
  // Room for 2^32 dimensions can't be: the count of them lies in 32 bits.
  std::string bytes = good_.file();
  const std::size_t at = bytes.find("blk.0.attn_q_a.weight") + 21;
  bytes.replace(at, 4, "\xff\xff\xff\xff");
  EXPECT_THAT(refusal(bytes), HasSubstr("has 4294967295 dimensions"));
}

TEST_F(HarmfulGgufTest, TypesThatCannotBeReadAreNamed) {
  const auto typed = [&](std::uint32_t type) {
    return refusal_with_tensor([&](auto& t) { t.type = type; });
  };
  EXPECT_THAT(typed(16), HasSubstr("has type IQ2_XXS (16), which leyden can't read"));
  EXPECT_THAT(typed(4), HasSubstr("has type Q4_2 (4)"));
  EXPECT_THAT(typed(99), HasSubstr("has type unknown (99)"));
  EXPECT_THAT(typed(0xffffffffu), HasSubstr("has type unknown (4294967295)"));
}

TEST_F(HarmfulGgufTest, PlacesAreChecked) {
  const auto placed = [&](std::uint64_t offset) {
    return refusal_with_tensor([&](auto& t) { t.offset = offset; });
  };
  EXPECT_THAT(placed(16), HasSubstr("offset is 16, expected a multiple of 32"));
  EXPECT_THAT(placed(0), HasSubstr("overlaps"));
  EXPECT_THAT(placed(std::uint64_t{1} << 40), HasSubstr("go beyond"));
  EXPECT_THAT(placed(kHuge - 31), HasSubstr("go beyond"));
}

TEST_F(HarmfulGgufTest, EveryTruncationIsRefused) {
  const std::string whole = good_.file();
  for (std::size_t size = 1; size < whole.size(); size += size < 30'000 ? 293 : 9'973) {
    EXPECT_NE(refusal(whole.substr(0, size)), "") << size;
  }
  for (std::size_t size = 1; size < 200; ++size) EXPECT_NE(refusal(whole.substr(0, size)), "");
  EXPECT_THAT(refusal(whole.substr(0, whole.size() - 1)), HasSubstr("cut off"));
}

TEST_F(HarmfulGgufTest, AnyChangedByteGivesAModelOrASentence) {
  const std::string whole = good_.file();
  const std::size_t data_begin = whole.size() - good_.data.size();
  for (std::size_t at = 0; at < data_begin; at += 23) {
    std::string broken = whole;
    broken[at] = static_cast<char>(broken[at] ^ (1 << at % 8));
    refusal(broken);  // no other exception, no sanitizer finding
  }
}

TEST_F(HarmfulGgufTest, AlignmentIsChecked) {
  EXPECT_THAT(refusal_with("general.alignment", gguf_u32(0)), HasSubstr("is 0, expected"));
  EXPECT_THAT(refusal_with("general.alignment", gguf_u32(3)), HasSubstr("a power of two"));
  EXPECT_THAT(refusal_with("general.alignment", gguf_u32(1u << 31)), HasSubstr("2147483648"));
  EXPECT_THAT(refusal_with("general.alignment", gguf_i32(-32)), HasSubstr("is no u32"));
  EXPECT_THAT(refusal_with("general.alignment", gguf_text_value("32")), HasSubstr("is no u32"));
}

TEST_F(HarmfulGgufTest, HyperparametersAreCheckedAgainstEachOther) {
  const auto with = [&](const char* key, std::uint32_t value) {
    return refusal_with(std::string("deepseek32.") + key, gguf_u32(value));
  };
  EXPECT_THAT(with("block_count", 1'000'000'000), HasSubstr("'num_hidden_layers' is 1000000000"));
  EXPECT_THAT(with("block_count", 0), HasSubstr("'deepseek32.block_count' is 0"));
  EXPECT_THAT(with("block_count", 2), HasSubstr("belongs to layer 2"));
  EXPECT_THAT(with("nextn_predict_layers", 3), HasSubstr("fewer than block_count 3"));
  EXPECT_THAT(with("expert_used_count", 9), HasSubstr("'num_experts_per_tok' is 9"));
  EXPECT_THAT(with("expert_count", 12), HasSubstr("expected [n_routed_experts 12"));
  EXPECT_THAT(with("leading_dense_block_count", 4), HasSubstr("'first_k_dense_replace' is 4"));
  EXPECT_THAT(with("attention.indexer.top_k", 0), HasSubstr("top_k' is 0"));
  EXPECT_THAT(with("attention.indexer.key_length", 48), HasSubstr("a power of two"));
  EXPECT_THAT(with("attention.indexer.key_length", 256), HasSubstr("a value from 4 to 128"));
  EXPECT_THAT(with("attention.key_length_mla", 16), HasSubstr("more than rope.dimension_count"));
  EXPECT_THAT(with("attention.key_length_mla", 64), HasSubstr("attn_k_b.weight' at byte"));
  EXPECT_THAT(with("attention.value_length_mla", 64), HasSubstr("attn_v_b.weight' at byte"));
  EXPECT_THAT(with("attention.key_length", 192), HasSubstr("expected 48 = kv_lora_rank 32"));
  EXPECT_THAT(with("attention.head_count", 5), HasSubstr("attn_k_b.weight' at byte"));
  EXPECT_THAT(with("embedding_length", 128), HasSubstr("'model.embed_tokens.weight' at byte"));
  EXPECT_THAT(with("vocab_size", 300), HasSubstr("'model.embed_tokens.weight' at byte"));
  EXPECT_THAT(with("expert_gating_func", 3), HasSubstr("from 1 to 2"));
  EXPECT_THAT(with("expert_group_count", 3), HasSubstr("doesn't divide"));
  EXPECT_THAT(refusal_with("deepseek32.rope.freq_base", gguf_f32(std::nanf(""))),
              HasSubstr("expected a finite f32"));
  EXPECT_THAT(refusal_with("deepseek32.rope.scaling.type", gguf_text_value("linear")),
              HasSubstr("is 'linear', expected 'yarn'"));
  EXPECT_THAT(refusal_after([](auto& t) { t.erase("deepseek32.embedding_length"); }),
              HasSubstr("key 'deepseek32.embedding_length' is missing"));
  EXPECT_THAT(refusal_with("general.architecture", gguf_text_value("llama\x1b[31m")),
              HasSubstr("architecture is 'llama?[31m', which leyden can't run"));
}

TEST_F(HarmfulGgufTest, RopeScalingThatIsNotComputedIsRefused) {
  const std::string scaling = "deepseek32.rope.scaling.";
  // llama.cpp takes "linear" then.
  EXPECT_THAT(refusal_after([&](GgufText& text) { text.erase(scaling + "type"); }),
              HasSubstr("'" + scaling + "factor' is 40, but there is no 'rope.scaling.type'"));
  const auto unscaled = [&](const std::string& key, float value) {
    return refusal_after([&](GgufText& text) {
      text.erase(scaling + "type");
      text.set(scaling + "factor", gguf_f32(1));
      text.set(key, gguf_f32(value));
    });
  };
  EXPECT_EQ(unscaled(scaling + "factor", 1), "");
  EXPECT_THAT(unscaled("deepseek32.rope.scale_linear", 4), HasSubstr("scale_linear' is 4, but"));
  EXPECT_EQ(refusal_with(scaling + "type", gguf_text_value("none")), "");
  for (const std::string key : {"attn_factor", "yarn_attn_factor"}) {
    EXPECT_EQ(refusal_with(scaling + key, gguf_f32(1)), "");
    EXPECT_THAT(refusal_with(scaling + key, gguf_f32(1.5f)),
                HasSubstr(key + "' is 1.5, expected 1"));
    EXPECT_THAT(unscaled(scaling + key, 1.5f), HasSubstr(key + "' is 1.5, expected 1"));
  }
}

TEST_F(HarmfulGgufTest, AnyIntegerKindThatFitsWillDo) {
  EXPECT_EQ(refusal_with("deepseek32.embedding_length", gguf_u16(64)), "");
  EXPECT_EQ(refusal_with("deepseek32.embedding_length", gguf_i32(64)), "");
  EXPECT_EQ(refusal_with("deepseek32.embedding_length",
                         bytes_of(std::uint32_t{10}) + bytes_of(std::uint64_t{64})),
            "");
  EXPECT_THAT(refusal_with("deepseek32.embedding_length", gguf_i32(-64)), HasSubstr("is -64"));
  EXPECT_THAT(
      refusal_with("deepseek32.embedding_length", bytes_of(std::uint32_t{10}) + bytes_of(kHuge)),
      HasSubstr("embedding_length' is of kind u64"));
  EXPECT_THAT(refusal_with("deepseek32.embedding_length", gguf_f32(64)), HasSubstr("is 64"));
}

TEST_F(HarmfulGgufTest, TokenizerListsAreChecked) {
  const std::string tokens = "tokenizer.ggml.tokens";
  const std::string types = "tokenizer.ggml.token_type";
  const std::string merges = "tokenizer.ggml.merges";
  EXPECT_THAT(refusal_with(types, gguf_array(5, 1, bytes_of(std::int32_t{1}))),
              HasSubstr("has 1 elements, expected one for each of"));
  EXPECT_THAT(refusal_with(types, gguf_array(0, 4, "1234")), HasSubstr("expected one of i32"));
  EXPECT_THAT(refusal_with(types, gguf_u32(1)), HasSubstr("expected an array"));
  EXPECT_THAT(refusal_with(tokens, gguf_array(4, 1, "1234")), HasSubstr("expected one of string"));
  EXPECT_THAT(refusal_with(merges, gguf_array(6, 1, "1234")), HasSubstr("expected one of string"));
  EXPECT_THAT(refusal_with(merges, gguf_array(8, 1, gguf_string("no such"))),
              HasSubstr("tokenizer.ggml.merges[0]"));
  EXPECT_THAT(refusal_with("tokenizer.ggml.model", gguf_text_value("llama")),
              HasSubstr("is 'llama', expected 'gpt2'"));
  EXPECT_THAT(refusal_with("tokenizer.ggml.pre", gguf_text_value("other")), HasSubstr("other"));
  EXPECT_THAT(refusal_with("tokenizer.ggml.eos_token_id", gguf_u32(288)),
              HasSubstr("'eos_token_id' is 288"));
  EXPECT_THAT(refusal_with("tokenizer.ggml.bos_token_id", gguf_i32(-1)), HasSubstr("is -1"));
  std::string same;
  for (int i = 0; i < 288; ++i) same += gguf_string("a");
  EXPECT_THAT(refusal_with(tokens, gguf_array(8, 288, same)), HasSubstr("tokenizer.ggml.tokens["));
  std::string many = same + gguf_string("b");
  EXPECT_THAT(refusal_with(tokens, gguf_array(8, 289, many)),
              HasSubstr("has 289 tokens, expected at most vocab_size 288"));
}

TEST_F(HarmfulGgufTest, ChatTemplatesAreHandedOnAsText) {
  GgufText text = good_;
  text.erase("tokenizer.chat_template");
  EXPECT_EQ(
      Checkpoint::open(dir_.write("model.gguf", text.file()))->companion("tokenizer_config.json"),
      std::nullopt);
  const std::string harmful = "{{ \"a\" }}\n\x1b[2J" + std::string(1, '\0');
  text.set("tokenizer.chat_template", gguf_text_value(harmful));
  const auto checkpoint = Checkpoint::open(dir_.write("model.gguf", text.file()));
  const auto config = checkpoint->companion("tokenizer_config.json");
  ASSERT_TRUE(config);
  EXPECT_EQ(parse_json(*config, "x")["chat_template"].get<std::string>(), harmful);
}

TEST_F(HarmfulGgufTest, HalvesOfKvBComeTogether) {
  EXPECT_THAT(refusal_after([](auto& t) { t.tensor("blk.1.attn_v_b.weight").name = "x"; }),
              HasSubstr("tensor 'blk.1.attn_k_b.weight' at byte"));
  EXPECT_THAT(refusal_after([](auto& t) { t.tensor("blk.1.attn_k_b.weight").name = "x"; }),
              HasSubstr("there is no attn_k_b beside it"));
  EXPECT_THAT(refusal_after([](auto& t) { t.tensor("token_embd.weight").name = "x"; }),
              HasSubstr("'token_embd.weight' is missing"));
}

TEST_F(HarmfulGgufTest, TheHeadMayBeTied) {
  GgufText text = good_;
  text.tensor("output.weight").name = "unused.weight";
  const auto checkpoint = Checkpoint::open(dir_.write("model.gguf", text.file()));
  EXPECT_TRUE(checkpoint->config().tie_word_embeddings);
  EXPECT_EQ(checkpoint->find("lm_head.weight"), nullptr);
}

TEST_F(HarmfulGgufTest, InfiniteScalesAreNamed) {
  GgufText text = good_;
  const std::uint64_t offset = text.tensor("blk.0.attn_q_a.weight").offset;
  text.data.replace(offset, 2, std::string("\x00\x7c", 2));  // binary16 infinity
  const auto checkpoint = Checkpoint::open(dir_.write("model.gguf", text.file()));
  const CheckpointTensor& tensor = *checkpoint->find("model.layers.0.self_attn.q_a_proj.weight");
  std::vector<float> values(static_cast<std::size_t>(tensor.rows() * tensor.cols()));
  checkpoint->read_rows_f32(tensor, 0, tensor.rows(), values.data());
  EXPECT_THAT(refusal_of([&] { refuse_non_finite(tensor, 0, values); }),
              HasSubstr("in row 0, column 0, expected finite weights"));
}

}  // namespace
}  // namespace leyden::formats
