#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <string>

#include "formats/checkpoint.h"
#include "formats/json.h"
#include "tests/formats/refusal.h"
#include "tests/model/convert_case.h"
#include "tests/model/golden.h"

namespace leyden {
namespace {

namespace fs = std::filesystem;
using leyden::fixtures::refusal_of;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

void stop_in_the_middle(std::uint64_t done, std::uint64_t total, std::string_view) {
  if (done > total / 2) throw std::runtime_error("stop");
}

/// Checkpoints that aren't what they were, or not what they should be.
class ConvertSourceTest : public ConvertTest {
 protected:
  ConvertSourceTest() { fs::copy(model::golden_checkpoint("v3-tiny-bf16"), in_); }

  /// Stops halfway and keeps what is done.
  void begin() {
    runtime::ThreadTeam team(2);
    const auto checkpoint = formats::Checkpoint::open(in_);
    EXPECT_THROW(convert(*checkpoint, formats::load_recipe("int8"), {.out = out_, .resume = true},
                         team, stop_in_the_middle),
                 std::runtime_error);
  }
  ConvertResult resume() { return convert_to(out_, in_, "int8", {.out = {}, .resume = true}); }
  void write(const std::string& file, std::string_view bytes) { dir_.write("in/" + file, bytes); }

  /// The weights with a hole in one tensor, where no fingerprint looks.
  std::string with_a_hole() const {
    const auto checkpoint = formats::Checkpoint::open(in_);
    const formats::CheckpointTensor& tensor =
        *checkpoint->find("model.layers.0.self_attn.o_proj.weight");
    std::string bytes = weights_;
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(tensor.offset), 100, '\0');
    return bytes;
  }
  /// The weights without the tensors whose names begin so: they are called otherwise.
  void lose(const std::string& prefix) {
    std::string bytes = weights_;
    const std::string from = "\"model.layers." + prefix;
    for (std::size_t at = 0; (at = bytes.find(from, at)) != bytes.npos;) bytes[at + 1] = 'x';
    ASSERT_NE(bytes, weights_);
    write("model.safetensors", bytes);
  }

  /// The weights with another type of a tensor, whose values have two bytes as before.
  void retype(const std::string& tensor, std::string type) {
    std::string bytes = weights_;
    const std::string from = "\"" + tensor + "\":{\"dtype\":\"BF16\"";
    const std::size_t at = bytes.find(from);
    ASSERT_NE(at, bytes.npos) << tensor;
    type += '"';
    type.resize(5, ' ');
    bytes.replace(at + from.size() - 5, 5, type);
    write("model.safetensors", bytes);
  }

  const fs::path in_ = dir_.path() / "in";
  const std::string weights_ =
      formats::read_text_file(model::golden_checkpoint("v3-tiny-bf16") + "/model.safetensors");
};

TEST_F(ConvertSourceTest, NothingIsKeptOfAFileThatWasWrittenAnew) {
  const std::string expected = resume().fingerprint;
  fs::remove(out_);
  write("model.safetensors", with_a_hole());
  const fs::file_time_type time = fs::last_write_time(in_ / "model.safetensors");
  begin();
  write("model.safetensors", weights_);
  fs::last_write_time(in_ / "model.safetensors", time);  // as tools that copy set it
  EXPECT_THAT([&] { resume(); }, ThrowsMessage<formats::WriteError>(
                                     HasSubstr("differs in: the checkpoint's files. Nothing")));
  fs::remove(out_.string() + ".partial.journal");
  const ConvertResult result = resume();
  EXPECT_EQ(result.resumed_bytes, 0u);
  EXPECT_EQ(result.fingerprint, expected);
}

TEST_F(ConvertSourceTest, AFolderMayBeMoved) {
  begin();
  fs::rename(in_, dir_.path() / "moved");
  EXPECT_GT(
      convert_to(out_, dir_.path() / "moved", "int8", {.out = {}, .resume = true}).resumed_bytes,
      0u);
}

TEST_F(ConvertSourceTest, AFileThatChangesMeanwhileIsNamed) {
  const fs::path shard = in_ / "model.safetensors";
  const auto checkpoint = formats::Checkpoint::open(in_);
  const quant::Recipe recipe = formats::load_recipe("int8");
  runtime::ThreadTeam team(2);
  const auto touch = [&](std::uint64_t, std::uint64_t, std::string_view) {
    fs::last_write_time(shard, fs::last_write_time(shard) + std::chrono::milliseconds(1));
  };
  EXPECT_EQ(refusal_of([&] { convert(*checkpoint, recipe, {.out = out_}, team, touch); }),
            shard.string() + ": changed while it was read");
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_.path()), {}), 1);
}

TEST_F(ConvertSourceTest, StopsAtOnce) {
  runtime::ThreadTeam team(2);
  const auto checkpoint = formats::Checkpoint::open(in_);
  const auto stop = [](std::uint64_t, std::uint64_t, std::string_view) {
    throw std::runtime_error("stop");
  };
  const quant::Recipe recipe = formats::load_recipe("int8");
  EXPECT_THROW(convert(*checkpoint, recipe, {.out = out_, .resume = true}, team, stop),
               std::runtime_error);
  EXPECT_LT(resume().resumed_bytes, plan_conversion(*checkpoint, recipe).tensor_bytes / 2);
}

TEST_F(ConvertSourceTest, AnMtpLayerIsWholeOrNotThere) {
  for (const std::string lost :
       {"mlp.experts.0.gate_proj.weight", "mlp.experts.3.up_proj.weight", "enorm.weight",
        "shared_head.norm.weight", "self_attn.kv_b_proj.weight", "mlp.gate.weight"}) {
    lose("2." + lost);
    EXPECT_THAT(refusal_of([&] { convert_to(out_, in_, "int8"); }),
                HasSubstr("tensor 'model.layers.2." + lost + "' is missing"));
    EXPECT_FALSE(fs::exists(out_));
  }
  const quant::Recipe recipe = formats::load_recipe("int8");
  const auto n_of_the_layer = [&] {
    const ConversionPlan plan = plan_conversion(*formats::Checkpoint::open(in_), recipe);
    return plan.tensors.size() - plan.n_model_tensors;
  };
  lose("2.");
  EXPECT_EQ(n_of_the_layer(), 0u);
  write("model.safetensors", weights_);
  const std::size_t n_whole = n_of_the_layer();
  // What it may share with the model.
  for (const char* shared : {"2.embed_tokens.weight", "2.shared_head.head.weight"}) {
    lose(shared);
    EXPECT_EQ(n_of_the_layer(), n_whole - 1);
  }
}

TEST_F(ConvertSourceTest, ATypeThatHoldsNoWeightsIsRefusedFirst) {
  const std::string tensor = "model.layers.1.mlp.experts.11.down_proj.weight";
  retype(tensor, "I16");
  const auto checkpoint = formats::Checkpoint::open(in_);
  EXPECT_THAT(refusal_of([&] { plan_conversion(*checkpoint, formats::load_recipe("int8")); }),
              AllOf(HasSubstr("model.safetensors: tensor '" + tensor + "' at byte "),
                    HasSubstr("is I16, expected F32, F16, BF16 or F8_E4M3")));
}

TEST_F(ConvertSourceTest, AStackThatIsNotAllBf16StaysExact) {
  retype("model.layers.1.mlp.experts.11.down_proj.weight", "F16");
  const auto checkpoint = formats::Checkpoint::open(in_);
  std::map<std::string, quant::WeightFormat> formats;
  for (const auto& spec : plan_conversion(*checkpoint, {"exact", {}}).tensors) {
    formats[spec.name] = spec.format;
  }
  EXPECT_EQ(formats.at("layers.1.experts.down"), quant::WeightFormat::kF32);
  EXPECT_EQ(formats.at("layers.1.experts.up"), quant::WeightFormat::kBf16);
}

TEST_F(ConvertSourceTest, ASmallFileThatCantBeReadIsRefusedFirst) {
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "generation_config.json"}) {
    for (const char* text : {"", "{\"cut off"}) {
      write(name, text);
      EXPECT_THAT(refusal_of([&] { convert_to(out_, in_, "int8"); }),
                  HasSubstr(in_.string() + ": " + name + ": "))
          << text;
      EXPECT_FALSE(fs::exists(out_));
    }
    fs::remove(in_ / name);
  }
}

}  // namespace
}  // namespace leyden
