#include "formats/gguf_blocks.h"

#include <gtest/gtest.h>

#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "formats/json.h"
#include "formats/json_field.h"
#include "formats/tensor_decode.h"

namespace leyden::formats {
namespace {

const std::string kBlocks = LEYDEN_TEST_DATA "/gguf/blocks/";

TEST(GgufBlocksTest, EveryBlockHasTheValuesGgmlGivesIt) {
  const Json index = read_json_file(kBlocks + "index.json");
  const JsonField types(index, "index.json");
  EXPECT_EQ(types.size(), 16u);
  for (std::size_t i = 0; i < types.size(); ++i) {
    const JsonField entry = types.element(i);
    const auto type = gguf_tensor_type(static_cast<std::uint32_t>(entry.integer("ggml_type")));
    ASSERT_TRUE(type);
    EXPECT_EQ(name(*type), entry.string("type"));
    EXPECT_EQ(info(*type).block_values, entry.integer("block_values"));
    EXPECT_EQ(info(*type).block_bytes, entry.integer("block_bytes"));
    const std::string blocks = read_text_file(kBlocks + entry.string("bin"));
    const std::string bytes = read_text_file(kBlocks + entry.string("f32"));
    std::vector<float> expected(bytes.size() / sizeof(float));
    std::memcpy(expected.data(), bytes.data(), bytes.size());
    ASSERT_EQ(expected.size(), static_cast<std::size_t>(entry.integer("values")));
    std::vector<float> values(expected.size());
    ASSERT_TRUE(can_decode(*type));
    decode_values(*type, std::as_bytes(std::span(blocks)), values.data());
    EXPECT_EQ(values, expected) << name(*type);  // by value: the sign of zero may differ
  }
}

TEST(GgufBlocksTest, TypesThatCannotBeReadHaveNames) {
  EXPECT_FALSE(gguf_tensor_type(16));
  EXPECT_EQ(gguf_type_name(16), "IQ2_XXS (16)");
  EXPECT_FALSE(gguf_tensor_type(0xffffffffu));
  EXPECT_EQ(gguf_type_name(0xffffffffu), "unknown (4294967295)");
  EXPECT_FALSE(tensor_type_named("Q4_0")) << "safetensors has no blocks";
}

}  // namespace
}  // namespace leyden::formats
