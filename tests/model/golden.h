#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "formats/checkpoint.h"
#include "formats/named.h"
#include "src/model/forward.h"
#include "src/model/loaded_model.h"

namespace leyden::model {

/// The tiny checkpoints of the independent oracle and what they must compute (tests/data/oracle).
inline const std::vector<std::string> kGoldenCases = {
    "v3-tiny-bf16", "v3-tiny-fp8",  "v32-tiny-bf16", "v32-tiny-fp8",
    "v32-calm-fp8", "v32-odd-dims", "v2lite-tiny"};

inline constexpr std::array<formats::Named<MlaMode>, 3> kMlaModes = {{
    {"auto", MlaMode::kAuto},
    {"absorb", MlaMode::kAbsorb},
    {"decompress", MlaMode::kDecompress},
}};

struct Golden {
  std::vector<std::int32_t> tokens;
  std::vector<float> logits;  // [tokens, vocab]
  nlohmann::json json;

  explicit Golden(const std::string& name) {
    const std::string path = std::string(LEYDEN_TEST_DATA) + "/oracle/goldens/" + name;
    std::ifstream text(path + ".json");
    json = nlohmann::json::parse(text);
    tokens = json["tokens"].get<std::vector<std::int32_t>>();
    std::ifstream raw(path + ".logits.f32", std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(raw)), {});
    logits.resize(bytes.size() / sizeof(float));
    std::memcpy(logits.data(), bytes.data(), bytes.size());
  }
};

inline std::string golden_checkpoint(const std::string& name) {
  return std::string(LEYDEN_TEST_DATA) + "/oracle/checkpoints/" + name;
}

/// A checkpoint in one arena.
inline std::unique_ptr<LoadedModel> load_whole(const formats::Checkpoint& checkpoint,
                                               const FormatChooser& choose,
                                               runtime::ThreadTeam& team) {
  return load_checkpoint(checkpoint, "test", choose,
                         one_arena(tensor_specs(checkpoint.config(), choose)), team, {});
}

inline std::unique_ptr<LoadedModel> load_golden(const std::string& name, quant::WeightFormat format,
                                                runtime::ThreadTeam& team) {
  const auto checkpoint = formats::Checkpoint::open(golden_checkpoint(name));
  const FormatChooser choose = [format](const PlannedTensor& planned) {
    return planned.layout == quant::Layout::kRows ? quant::WeightFormat::kF32 : format;
  };
  return load_whole(*checkpoint, choose, team);
}

/// All logits of `tokens`, computed in chunks of the given size.
inline std::vector<float> logits_of(const LoadedModel& model, const Attention::Settings& settings,
                                    const std::vector<std::int32_t>& tokens, int chunk,
                                    runtime::ThreadTeam& team, Trace* trace = nullptr) {
  KvCache cache(model.config, settings.cache);
  cache.reserve(0, static_cast<std::int32_t>(tokens.size()));
  Forward forward(model.config, model.weights, settings, chunk, team);
  Profile profile;
  const auto vocab = static_cast<std::size_t>(model.config.vocab_size);
  std::vector<float> logits(tokens.size() * vocab);
  for (std::size_t done = 0; done < tokens.size();) {
    const std::size_t n = std::min(tokens.size() - done, static_cast<std::size_t>(chunk));
    forward.run(std::span(tokens).subspan(done, n), static_cast<std::int32_t>(done), cache,
                static_cast<int>(n), logits.data() + done * vocab, trace, profile);
    done += n;
  }
  return logits;
}

inline Attention::Settings reference_settings(MlaMode mla) {
  return {AttentionMode::kAuto, mla, {simd::KvFormat::kF32, simd::IndexFormat::kF32}};
}

}  // namespace leyden::model
