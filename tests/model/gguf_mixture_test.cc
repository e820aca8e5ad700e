// GGUF files of our own making: any type in any tensor, in any number of parts, converted.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "formats/container_reader.h"
#include "formats/json.h"
#include "formats/recipe_file.h"
#include "src/convert.h"
#include "src/engine.h"
#include "src/session.h"
#include "tests/formats/gguf_text.h"
#include "tests/formats/temp_directory.h"
#include "tests/model/golden.h"

namespace leyden {
namespace {

namespace fs = std::filesystem;
using formats::TensorType;
using leyden::fixtures::GgufText;

/// A type, and where the fp16 numbers lie that have to be finite, and small so that the model is.
struct BlockType {
  std::uint32_t id;
  std::vector<std::size_t> halves;
};
const std::vector<BlockType> kTypes = {
    {1, {0}},        // F16
    {30, {}},        // BF16
    {2, {0}},        // Q4_0
    {3, {0, 2}},     // Q4_1
    {6, {0}},        // Q5_0
    {7, {0, 2}},     // Q5_1
    {8, {0}},        // Q8_0
    {20, {0}},       // IQ4_NL
    {10, {80, 82}},  // Q2_K
    {11, {108}},     // Q3_K
    {12, {0, 2}},    // Q4_K
    {13, {0, 2}},    // Q5_K
    {14, {208}},     // Q6_K
    {23, {0}},       // IQ4_XS
};

std::uint64_t n_values(const GgufText::Tensor& tensor) {
  std::uint64_t n = 1;
  for (const std::uint64_t size : tensor.sizes) n *= size;
  return n;
}

/// Random blocks of a type for so many values.
std::string random_blocks(const BlockType& type, std::uint64_t values, std::mt19937& random) {
  const formats::TensorTypeInfo& info = formats::info(*formats::gguf_tensor_type(type.id));
  const auto block_bytes = static_cast<std::size_t>(info.block_bytes);
  std::string bytes(values / static_cast<std::uint64_t>(info.block_values) * block_bytes, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  for (std::size_t block = 0; block < bytes.size(); block += block_bytes) {
    for (const std::size_t at : type.halves) {  // 2^-10 .. 2^-6, of either sign
      bytes[block + at + 1] = static_cast<char>(0x14 + random() % 16 + (random() % 2 << 7));
    }
    if (type.id == 30) bytes[block + 1] = static_cast<char>(0x3c + (random() % 2 << 7));
  }
  return bytes;
}

/// Gives every matrix a random type that suits its rows, and random contents.
void mix(GgufText& text, std::mt19937& random) {
  std::string data;
  for (GgufText::Tensor& tensor : text.tensors) {
    const bool is_plain = tensor.sizes.size() == 1 || tensor.name.find("_norm") != tensor.name.npos;
    if (is_plain) {
      const std::uint64_t bytes = n_values(tensor) * 4;
      const std::string old = text.data.substr(tensor.offset, bytes);
      tensor.offset = data.size();
      data += old;
    } else {
      std::vector<BlockType> fitting;
      for (const BlockType& type : kTypes) {
        const auto& info = formats::info(*formats::gguf_tensor_type(type.id));
        if (tensor.sizes[0] % static_cast<std::uint64_t>(info.block_values) == 0) {
          fitting.push_back(type);
        }
      }
      const BlockType& type = fitting[random() % fitting.size()];
      tensor.type = type.id;
      tensor.offset = data.size();
      data += random_blocks(type, n_values(tensor), random);
    }
    data.append((32 - data.size() % 32) % 32, '\0');
  }
  text.data = data;
}

/// Deals the tensors out to `count` parts; the first one may get none, as gguf-split can do it.
std::vector<std::string> split(const GgufText& whole, std::size_t count, std::mt19937& random) {
  std::vector<GgufText> parts(count);
  parts[0].keys = whole.keys;
  for (std::size_t i = 0; i < count; ++i) {
    parts[i].set("split.no", leyden::fixtures::gguf_u16(static_cast<std::uint16_t>(i)));
    parts[i].set("split.count", leyden::fixtures::gguf_u16(static_cast<std::uint16_t>(count)));
    parts[i].set("split.tensors.count",
                 leyden::fixtures::gguf_i32(static_cast<std::int32_t>(whole.tensors.size())));
  }
  for (std::size_t t = 0; t < whole.tensors.size(); ++t) {
    GgufText& part = parts[count == 1 ? 0 : 1 + random() % (count - 1)];
    GgufText::Tensor tensor = whole.tensors[t];
    const std::uint64_t end =
        t + 1 < whole.tensors.size() ? whole.tensors[t + 1].offset : whole.data.size();
    part.data += whole.data.substr(whole.tensors[t].offset, end - whole.tensors[t].offset);
    tensor.offset = part.data.size() - (end - whole.tensors[t].offset);
    part.tensors.push_back(tensor);
  }
  std::vector<std::string> files;
  for (const GgufText& part : parts) files.push_back(part.file());
  return files;
}

std::vector<float> logits_of(const fs::path& path, const std::string& weights) {
  EngineOptions options;
  options.weights = weights;
  options.threads = 2;
  Session session(Engine::load(path, options));
  const std::vector<std::int32_t> tokens = {1, 5, 200, 33, 17, 9, 250, 8};
  EXPECT_EQ(session.prefill(tokens), SessionStatus::kOk);
  return {session.logits().begin(), session.logits().end()};
}

struct Mixture {
  const char* model;
  unsigned seed;
  std::size_t parts;
};

class GgufMixtureTest : public ::testing::TestWithParam<Mixture> {};

TEST_P(GgufMixtureTest, ConvertsAsItReadsWhateverTheTypes) {
  std::mt19937 random(GetParam().seed);
  GgufText text = GgufText::of(
      formats::read_text_file(fixtures::kGgufModels / (std::string(GetParam().model) + ".gguf")));
  // The tensors' order in the data is that of the list; mix() and split() count on it.
  ASSERT_TRUE(std::is_sorted(text.tensors.begin(), text.tensors.end(),
                             [](const auto& a, const auto& b) { return a.offset < b.offset; }));
  for (const auto& tensor : text.tensors) {
    if (tensor.sizes.size() == 1) {
      ASSERT_EQ(tensor.type, 0u) << tensor.name;
    }
  }
  mix(text, random);
  const leyden::fixtures::TempDirectory dir;
  const std::vector<std::string> files = split(text, GetParam().parts, random);
  for (std::size_t i = 0; i < files.size(); ++i) {
    dir.write(fmt::format("m-{:05}-of-{:05}.gguf", i + 1, files.size()), files[i]);
  }
  const fs::path in = dir.path() / fmt::format("m-00001-of-{:05}.gguf", files.size());
  const fs::path out = dir.path() / "out.leyden";
  const auto checkpoint = formats::Checkpoint::open(in);

  // The types each of leyden's tensors is made from.
  std::map<std::string, std::set<TensorType>> types;
  std::vector<model::PlannedTensor> plan = model::plan_tensors(checkpoint->config());
  for (auto& planned : model::plan_mtp_tensors(checkpoint->config())) plan.push_back(planned);
  for (const model::PlannedTensor& planned : plan) {
    for (std::int64_t m = 0; m < planned.count; ++m) {
      if (const auto* from = checkpoint->find(planned.source.name_of(m))) {
        types[planned.name].insert(from->type);
      }
    }
  }

  runtime::ThreadTeam team(2);
  for (const char* recipe : {"f32", "int8", "small"}) {
    const ConvertResult result =
        convert(*checkpoint, formats::load_recipe(recipe), {.out = out, .measure = true}, team, {});
    for (const TensorLoss& loss : result.losses) {
      const bool is_cut_up = loss.spec.name.find(".k_b") != std::string::npos ||
                             loss.spec.name.find(".v_b") != std::string::npos;
      const std::set<TensorType>& from = types.at(loss.spec.name);
      const auto all_are = [&](TensorType type) { return from == std::set{type}; };
      using quant::WeightFormat;
      const bool is_exact =
          loss.spec.format == WeightFormat::kF32 ||
          (!is_cut_up && all_are(TensorType::kQ4_0) && loss.spec.format != WeightFormat::kBf16);
      if (is_exact) {
        EXPECT_EQ(loss.figures.relative_rmse, 0) << recipe << ' ' << loss.spec.name;
      }
      EXPECT_LT(loss.figures.relative_rmse, loss.spec.format == WeightFormat::kInt4 ? 0.11 : 0.01)
          << recipe << ' ' << loss.spec.name;
    }
    const formats::ContainerReader container(out);
    for (const auto& tensor : container.all_tensors()) container.verify(tensor);
    const std::vector<float> direct = logits_of(in, recipe), converted = logits_of(out, "");
    ASSERT_EQ(direct.size(), converted.size());
    EXPECT_EQ(std::memcmp(direct.data(), converted.data(), direct.size() * sizeof(float)), 0);
    EXPECT_TRUE(
        std::all_of(direct.begin(), direct.end(), [](float x) { return std::isfinite(x); }));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, GgufMixtureTest,
    ::testing::Values(Mixture{"v32-small-f32", 1, 1}, Mixture{"v32-small-f32", 2, 3},
                      Mixture{"v32-small-mtp-q8_0", 3, 2}, Mixture{"v32-wide-q4_k_m", 4, 1},
                      Mixture{"v32-wide-q4_k_m", 5, 7}, Mixture{"v3-small-mixed", 6, 1},
                      Mixture{"v3-deep2-q2_k", 7, 4}, Mixture{"v2lite-27-q4_0", 8, 2}),
    [](const auto& test) { return fmt::format("seed_{}", test.param.seed); });

}  // namespace
}  // namespace leyden
