#include "src/convert.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "formats/container_reader.h"
#include "formats/json.h"
#include "formats/recipe_file.h"
#include "quant/number.h"
#include "src/compare.h"
#include "src/engine.h"
#include "src/session.h"
#include "tests/formats/gguf_text.h"
#include "tests/formats/refusal.h"
#include "tests/formats/temp_directory.h"
#include "tests/model/convert_case.h"
#include "tests/model/golden.h"

namespace leyden {
namespace {

namespace fs = std::filesystem;

TEST_F(ConvertTest, KeepsTheMtpLayerWhichInferenceIgnores) {
  const fs::path in = model::golden_checkpoint("v3-tiny-fp8");
  convert_to(out_, in, "int8");
  const formats::ContainerReader container(out_);
  const auto checkpoint = formats::Checkpoint::open(in);
  EXPECT_LT(container.tensors().size(), container.all_tensors().size());
  for (const char* name : {"layers.2.mtp.eh_proj", "layers.2.mtp.head", "layers.2.experts.gate"}) {
    ASSERT_NE(container.find(name), nullptr) << name;
  }
  const auto original = originals(*checkpoint, "model.layers.2.eh_proj.weight");
  const auto kept = weights_of(container, "layers.2.mtp.eh_proj");
  ASSERT_EQ(kept.size(), original.size());
  const float largest =
      std::abs(*std::max_element(original.begin(), original.end(),
                                 [](float a, float b) { return std::abs(a) < std::abs(b); }));
  for (std::size_t i = 0; i < kept.size(); ++i) ASSERT_NEAR(kept[i], original[i], largest / 127);

  EngineOptions options;
  options.threads = 2;
  const std::vector<std::int32_t> tokens = model::Golden("v3-tiny-fp8").tokens;
  const auto logits_of = [&](const fs::path& path) {
    Session session(Engine::load(path, options));
    EXPECT_EQ(session.prefill(tokens), SessionStatus::kOk);
    return std::vector<float>(session.logits().begin(), session.logits().end());
  };
  EXPECT_EQ(logits_of(out_), logits_of(in));
  EXPECT_TRUE(plan_conversion(*checkpoint, formats::load_recipe("int8")).left_out.empty());
}

TEST_F(ConvertTest, ReportsTheLossOfEveryPackedTensor) {
  const fs::path in = model::golden_checkpoint("v3-tiny-fp8");
  const ConvertResult exact = convert_to(out_, in, "f32", {.out = {}, .measure = true});
  EXPECT_EQ(exact.total.relative_rmse, 0);
  const ConvertResult result = convert_to(out_, in, "small", {.out = {}, .measure = true});
  const formats::ContainerReader container(out_);
  std::size_t n_packed = 0;
  for (const auto& tensor : container.all_tensors()) {
    n_packed += tensor.spec.layout == quant::Layout::kTiles ? 1 : 0;
  }
  EXPECT_EQ(result.losses.size(), n_packed);
  const auto checkpoint = formats::Checkpoint::open(in);
  for (const TensorLoss& loss : result.losses) {
    if (loss.spec.format != quant::WeightFormat::kInt4) {
      EXPECT_EQ(loss.figures.relative_rmse, 0) << loss.spec.name;
      continue;
    }
    EXPECT_GT(loss.figures.relative_rmse, 0.02) << loss.spec.name;
    EXPECT_LT(loss.figures.relative_rmse, 0.08) << loss.spec.name;
    EXPECT_LT(loss.figures.relative_rmse, loss.figures.worst_group);
    if (loss.spec.name != "layers.0.attn.o") continue;
    // The same figure from what can be read back.
    const auto original = originals(*checkpoint, "model.layers.0.self_attn.o_proj.weight");
    const auto rounded = weights_of(container, loss.spec.name);
    double error = 0, energy = 0;
    for (std::size_t i = 0; i < original.size(); ++i) {
      const double w = original[i], d = w - rounded[i];
      error += d * d;
      energy += w * w;
    }
    EXPECT_NEAR(loss.figures.relative_rmse, std::sqrt(error / energy), 1e-9);
  }
}

TEST_F(ConvertTest, ResumesToTheSameBytesAndFigures) {
  const fs::path in = model::golden_checkpoint("v32-tiny-fp8");
  const fs::path whole = dir_.path() / "whole.leyden";
  const ConvertResult expected = convert_to(whole, in, "int4", {.out = {}, .measure = true});
  runtime::ThreadTeam team(2);
  const auto checkpoint = formats::Checkpoint::open(in);
  const ConvertOptions options = {.out = out_, .resume = true, .measure = true};
  const auto stop_halfway = [](std::uint64_t done, std::uint64_t total, std::string_view) {
    if (done > total / 2) throw std::runtime_error("stop");
  };
  const quant::Recipe recipe = formats::load_recipe("int4");
  EXPECT_THROW(convert(*checkpoint, recipe, options, team, stop_halfway), std::runtime_error);
  EXPECT_FALSE(fs::exists(out_));
  const ConvertResult result = convert(*checkpoint, recipe, options, team, {});
  EXPECT_GT(result.resumed_bytes, plan_conversion(*checkpoint, recipe).tensor_bytes / 2);
  EXPECT_EQ(result.total.relative_rmse, expected.total.relative_rmse);
  EXPECT_EQ(formats::read_text_file(out_), formats::read_text_file(whole));
}

TEST_F(ConvertTest, LeavesNothingAfterAnErrorUnlessResumed) {
  runtime::ThreadTeam team(2);
  const auto checkpoint = formats::Checkpoint::open(model::golden_checkpoint("v32-tiny-fp8"));
  const auto stop = [](std::uint64_t, std::uint64_t, std::string_view) {
    throw std::runtime_error("stop");
  };
  EXPECT_THROW(convert(*checkpoint, formats::load_recipe("int4"), {.out = out_}, team, stop),
               std::runtime_error);
  EXPECT_TRUE(fs::is_empty(dir_.path()));
}

TEST_F(ConvertTest, CompressedContainersHoldTheSameModel) {
  const fs::path in = model::golden_checkpoint("v32-tiny-fp8"), plain = dir_.path() / "plain";
  const ConvertResult result = convert_to(out_, in, "int4", {.out = {}, .compress = true});
  EXPECT_EQ(convert_to(plain, in, "int4").fingerprint, result.fingerprint);
  const formats::ContainerReader container(out_);
  EXPECT_EQ(weights_of(container, "layers.1.experts.up"),
            weights_of(formats::ContainerReader(plain), "layers.1.experts.up"));
  EXPECT_LT(fs::file_size(out_), fs::file_size(plain));
  EngineOptions options;
  options.threads = 2;
  const auto logits_of = [&](const fs::path& path) {
    Session session(Engine::load(path, options));
    EXPECT_EQ(session.prefill(model::Golden("v32-tiny-fp8").tokens), SessionStatus::kOk);
    return std::vector<float>(session.logits().begin(), session.logits().end());
  };
  EXPECT_EQ(logits_of(out_), logits_of(plain));
}

TEST_F(ConvertTest, TheBytesDontDependOnThreadsCompressedOrNot) {
  const auto checkpoint = formats::Checkpoint::open(model::golden_checkpoint("v32-tiny-fp8"));
  const quant::Recipe recipe = formats::load_recipe("int4");
  for (const bool compress : {false, true}) {
    const ConvertOptions options = {.out = out_, .resume = true, .compress = compress};
    std::string expected;
    for (const int threads : {1, 2, 5, 16}) {
      runtime::ThreadTeam team(threads);
      convert(*checkpoint, recipe, options, team, {});
      const std::string bytes = formats::read_text_file(out_);
      if (threads == 1) expected = bytes;
      EXPECT_TRUE(bytes == expected) << threads;
      // Interrupted, and gone on with.
      fs::remove(out_);
      const auto stop = [](std::uint64_t done, std::uint64_t total, std::string_view) {
        if (done > total / 3) throw std::runtime_error("stop");
      };
      EXPECT_THROW(convert(*checkpoint, recipe, options, team, stop), std::runtime_error);
      EXPECT_GT(convert(*checkpoint, recipe, options, team, {}).resumed_bytes, 0u);
      EXPECT_TRUE(formats::read_text_file(out_) == expected) << threads;
    }
  }
}

TEST_F(ConvertTest, ComparingWithTheExactContainerGivesTheReportedLoss) {
  const fs::path in = model::golden_checkpoint("v3-tiny-fp8"), exact = dir_.path() / "exact";
  convert_to(exact, in, "f32");
  const ConvertResult result = convert_to(out_, in, "int4", {.out = {}, .measure = true});
  const formats::ContainerReader first(exact), second(out_);
  runtime::ThreadTeam team(2);
  const ContainerDifference difference = compare(first, second, team, {});
  EXPECT_TRUE(difference.only_first.empty() && difference.only_second.empty());
  std::map<std::string, quant::ErrorFigures> reported;
  for (const TensorLoss& loss : result.losses) reported[loss.spec.name] = loss.figures;
  for (const TensorDifference& tensor : difference.tensors) {
    const quant::ErrorFigures expected = reported[tensor.name];  // nothing for plain rows
    EXPECT_NEAR(tensor.figures.relative_rmse, expected.relative_rmse, 1e-12) << tensor.name;
    EXPECT_EQ(tensor.figures.worst_group, expected.worst_group) << tensor.name;
  }
  const ContainerDifference same = compare(second, second, team, {});
  EXPECT_EQ(same.total.relative_rmse, 0);
  EXPECT_TRUE(std::all_of(same.tensors.begin(), same.tensors.end(),
                          [](const auto& tensor) { return tensor.identical; }));
}

TEST(CalibratedConvert, ImportanceMovesTheErrorToWhereItCountsLess) {
  const leyden::fixtures::TempDirectory dir;
  const fs::path in = model::golden_checkpoint("v32-tiny-fp8"), out = dir.path() / "out";
  const auto checkpoint = formats::Checkpoint::open(in);
  const auto original = originals(*checkpoint, "model.layers.0.self_attn.o_proj.weight");
  const std::size_t cols =
      static_cast<std::size_t>(checkpoint->find("model.layers.0.self_attn.o_proj.weight")->cols());
  std::vector<float> energy(cols, 0.01f);
  for (std::size_t c = 0; c < cols; c += 4) energy[c] = 1;
  const Calibration calibration(
      {{"layers.0.attn.o", {1, static_cast<std::int64_t>(cols), energy, {9}}}});
  runtime::ThreadTeam team(2);
  const auto error_of_important = [&](const Calibration* used) {
    convert(*checkpoint, formats::load_recipe("int4"), {.out = out, .calibration = used}, team, {});
    const auto rounded = weights_of(formats::ContainerReader(out), "layers.0.attn.o");
    double error = 0;
    for (std::size_t i = 0; i < rounded.size(); ++i) {
      if (i % cols % 4 == 0) error += std::pow(original[i] - rounded[i], 2);
    }
    return error;
  };
  EXPECT_LT(error_of_important(&calibration), 0.8 * error_of_important(nullptr));
}

TEST(CalibratedConvert, TensorsThatTheModelHasntAreRefused) {
  const auto checkpoint = formats::Checkpoint::open(model::golden_checkpoint("v32-tiny-fp8"));
  const std::int64_t cols = checkpoint->find("model.layers.0.self_attn.o_proj.weight")->cols();
  const ColumnEnergy energy = {
      1, cols, std::vector<float>(static_cast<std::size_t>(cols), 1.0f), {9}};
  const auto refusal_of_names = [&](std::map<std::string, ColumnEnergy> tensors) {
    const Calibration calibration(std::move(tensors));
    return leyden::fixtures::refusal_of(
        [&] { plan_conversion(*checkpoint, formats::load_recipe("int4"), &calibration); });
  };
  EXPECT_EQ(refusal_of_names({{"layers.0.attn.o", energy}}), "");
  EXPECT_EQ(refusal_of_names({{"layers.0.attn.o", energy}, {"layers.99.attn.o", energy}}),
            "calibration: tensor 'layers.99.attn.o': this model has none of that name, so it is "
            "another model's calibration");
}

class MtpTest : public ConvertTest, public ::testing::WithParamInterface<const char*> {};

/// Nothing decodes with these tensors yet, so this is what shows that they are kept right.
TEST_P(MtpTest, EveryTensorKeepsItsValues) {
  const fs::path in = fs::path(LEYDEN_TEST_DATA) / GetParam();
  convert_to(out_, in, "f32");
  const formats::ContainerReader container(out_);
  const auto checkpoint = formats::Checkpoint::open(in);
  const formats::ModelConfig& config = checkpoint->config();
  ASSERT_EQ(config.num_nextn_predict_layers, 1);
  const std::string theirs = fmt::format("model.layers.{}.", config.num_hidden_layers);
  const std::string ours = fmt::format("layers.{}.", config.num_hidden_layers);
  // Leyden's values by the checkpoint's names.
  std::map<std::string, std::vector<float>> kept;
  for (const auto& planned : model::plan_mtp_tensors(config)) {
    if (planned.source.name.ends_with("kv_b_proj.weight")) continue;
    const auto values = weights_of(container, planned.name);
    const auto each = values.size() / static_cast<std::size_t>(planned.count);
    for (std::int64_t m = 0; m < planned.count; ++m) {
      const auto first = values.begin() + m * static_cast<std::ptrdiff_t>(each);
      kept[planned.source.name_of(m)].assign(first, first + static_cast<std::ptrdiff_t>(each));
    }
  }
  // kv_b_proj again from its keys and values, head by head.
  const auto nope = static_cast<std::ptrdiff_t>(config.qk_nope_head_dim) * config.kv_lora_rank;
  const auto v = static_cast<std::ptrdiff_t>(config.v_head_dim) * config.kv_lora_rank;
  const auto keys = weights_of(container, ours + "attn.k_b");
  const auto values = weights_of(container, ours + "attn.v_b");
  auto& kv_b = kept[theirs + "self_attn.kv_b_proj.weight"];
  for (int head = 0; head < config.num_attention_heads; ++head) {
    kv_b.insert(kv_b.end(), keys.begin() + head * nope, keys.begin() + (head + 1) * nope);
    kv_b.insert(kv_b.end(), values.begin() + head * v, values.begin() + (head + 1) * v);
  }
  std::size_t n_compared = 0;
  for (const formats::CheckpointTensor& tensor : checkpoint->tensors()) {
    if (!tensor.name.starts_with(theirs)) continue;
    EXPECT_EQ(kept[tensor.name], originals(*checkpoint, tensor.name)) << tensor.name;
    ++n_compared;
  }
  EXPECT_GT(n_compared, 20u);
}

INSTANTIATE_TEST_SUITE_P(All, MtpTest,
                         ::testing::Values("oracle/checkpoints/v3-tiny-fp8",
                                           "gguf/models/v32-small-mtp-q8_0.gguf"));

}  // namespace
}  // namespace leyden
