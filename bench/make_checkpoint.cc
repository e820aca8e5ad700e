// Writes a checkpoint with the tensors of a released model, for measuring conversion: real names
// and shapes (tests/data/formats/tensors), FP8 codes and BF16 numbers drawn from a Gaussian.
//
//     make_checkpoint DIR [EXPERTS [VOCABULARY]] [--sparse] [--whole]
//
// One MoE layer of DeepSeek-V3.2 (its layer 3), embedding, head and norm, in shards of about 4.3 GB
// as DeepSeek's are. EXPERTS: routed experts (default 256); VOCABULARY: rows of embedding and head
// (default 129280). --sparse: all weights are zero and take no room on disk, to measure memory.
// --whole: all 690 GB of the model, sparse, for `leyden inspect` and `convert --dry-run`.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"
#include "formats/output_file.h"
#include "quant/number.h"
#include "tests/formats/tensor_listing.h"

namespace leyden {
namespace {

using formats::TensorType;
using leyden::fixtures::ListedTensor;

constexpr std::string_view kLayer = "model.layers.3.";
constexpr std::uint64_t kShardBytes = 4'300'000'000;

struct Options {
  std::filesystem::path directory;
  int experts = 256;
  std::int64_t vocabulary = 129280;
  bool sparse = false, whole = false;
};

/// The expert a tensor belongs to, or -1.
int expert_of(const std::string& name) {
  constexpr std::string_view kExperts = ".mlp.experts.";
  const std::size_t at = name.find(kExperts);
  int expert = -1;
  if (at != std::string::npos) {
    std::from_chars(name.data() + at + kExperts.size(), name.data() + name.size(), expert);
  }
  return expert;
}

/// The chosen tensors, layer 3 renamed to layer 0, in the order of the listing.
std::vector<ListedTensor> choose_tensors(const Options& options) {
  if (options.whole) return leyden::fixtures::tensor_listing("deepseek-v3.2");
  std::vector<ListedTensor> chosen;
  for (ListedTensor& tensor : leyden::fixtures::tensor_listing("deepseek-v3.2")) {
    const bool in_layer = tensor.name.starts_with(kLayer);
    if (!in_layer && tensor.name.starts_with("model.layers.")) continue;
    if (expert_of(tensor.name) >= options.experts) continue;
    if (in_layer) tensor.name = "model.layers.0." + tensor.name.substr(kLayer.size());
    const bool is_router = tensor.name.find(".mlp.gate.") != std::string::npos;
    if (is_router) tensor.shape[0] = options.experts;
    if (!in_layer && tensor.shape.size() == 2) tensor.shape[0] = options.vocabulary;
    chosen.push_back(std::move(tensor));
  }
  return chosen;
}

std::uint64_t values_of(const ListedTensor& tensor) {
  std::uint64_t n = 1;
  for (const std::int64_t dimension : tensor.shape) n *= static_cast<std::uint64_t>(dimension);
  return n;
}

std::uint64_t bytes_of(const ListedTensor& tensor) {
  return values_of(tensor) * static_cast<std::uint64_t>(info(tensor.type).block_bytes);
}

/// Random contents: a million Gaussian numbers in every format, repeated with a varying start.
class Contents {
 public:
  Contents() {
    std::mt19937 random(1);
    std::normal_distribution<float> draw(0.0f, 1.0f);
    for (std::size_t i = 0; i < kNumbers; ++i) {
      const float x = draw(random);
      // As FP8 is used: the largest of a 128 x 128 block near 448.
      fp8_.push_back(quant::f32_to_e4m3(x * 110));
      bf16_.push_back(quant::f32_to_bf16(x * 0.02f));
      f32_.push_back(1.0f + 0.1f * x);
      scale_.push_back(1.8e-4f * (1.0f + 0.1f * std::abs(x)));
    }
  }

  std::span<const std::byte> of(const ListedTensor& tensor) const {
    if (tensor.type == TensorType::kF8E4m3) return std::as_bytes(std::span(fp8_));
    if (tensor.type == TensorType::kBf16) return std::as_bytes(std::span(bf16_));
    return std::as_bytes(std::span(tensor.name.ends_with("_scale_inv") ? scale_ : f32_));
  }

 private:
  static constexpr std::size_t kNumbers = 1'000'003;
  std::vector<std::uint8_t> fp8_;
  std::vector<std::uint16_t> bf16_;
  std::vector<float> f32_, scale_;
};

void write_shard(const std::filesystem::path& path, const std::vector<ListedTensor>& tensors,
                 const Contents& contents, bool sparse) {
  formats::Json header;
  std::uint64_t end = 0;
  for (const ListedTensor& tensor : tensors) {
    header[tensor.name] = {{"dtype", name(tensor.type)},
                           {"shape", tensor.shape},
                           {"data_offsets", {end, end + bytes_of(tensor)}}};
    end += bytes_of(tensor);
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t text_bytes = text.size();
  const std::uint64_t data = sizeof text_bytes + text.size();
  formats::OutputFile file(path, sparse ? 0 : data + end);
  file.resize(data + end);
  file.write(0, std::as_bytes(std::span(&text_bytes, 1)));
  file.write(sizeof text_bytes, std::as_bytes(std::span(text)));
  std::uint64_t at = data;
  for (const ListedTensor& tensor : tensors) {
    const auto source = contents.of(tensor);
    std::uint64_t left = sparse ? 0 : bytes_of(tensor);
    for (std::uint64_t to = at; left > 0;) {
      const auto part = source.first(std::min<std::uint64_t>(left, source.size()));
      file.write(to, part);
      to += part.size();
      left -= part.size();
    }
    at += bytes_of(tensor);
  }
  file.commit();
}

void make(const Options& options) {
  std::filesystem::create_directories(options.directory);
  formats::Json config =
      formats::read_json_file(LEYDEN_TEST_DATA "/formats/configs/deepseek-v3.2.json");
  if (!options.whole) {
    config["num_hidden_layers"] = 1;
    config["first_k_dense_replace"] = 0;
    config["num_nextn_predict_layers"] = 0;
    config["n_routed_experts"] = options.experts;
    config["vocab_size"] = options.vocabulary;
  }
  const auto write_text = [&](const char* file_name, const std::string& text) {
    formats::OutputFile file(options.directory / file_name, text.size());
    file.write(0, std::as_bytes(std::span(text)));
    file.commit();
  };
  write_text("config.json", config.dump(1));

  std::vector<std::vector<ListedTensor>> shards(1);
  std::uint64_t bytes = 0, total = 0;
  for (ListedTensor& tensor : choose_tensors(options)) {
    if (bytes + bytes_of(tensor) > kShardBytes) {
      shards.emplace_back();
      bytes = 0;
    }
    bytes += bytes_of(tensor);
    total += bytes_of(tensor);
    shards.back().push_back(std::move(tensor));
  }
  const Contents contents;
  formats::Json index = {{"metadata", {{"total_size", total}}}};
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string file = fmt::format("model-{:05}-of-{:06}.safetensors", i + 1, shards.size());
    for (const ListedTensor& tensor : shards[i]) index["weight_map"][tensor.name] = file;
    write_shard(options.directory / file, shards[i], contents, options.sparse);
  }
  write_text("model.safetensors.index.json", index.dump());
  fmt::print("{}: {:.3f} GB in {} shards\n", options.directory.string(),
             static_cast<double>(total) / 1e9, shards.size());
}

}  // namespace
}  // namespace leyden

int main(int argc, char** argv) {
  leyden::Options options;
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--sparse" || word == "--whole") {
      options.sparse = true;
      options.whole = options.whole || word == "--whole";
    } else {
      words.push_back(word);
    }
  }
  const auto is_option = [](const std::string& word) { return word.starts_with('-'); };
  if (words.empty() || words.size() > 3 || std::ranges::any_of(words, is_option)) {
    fmt::print(stderr, "usage: make_checkpoint DIR [EXPERTS [VOCABULARY]] [--sparse] [--whole]\n");
    return 2;
  }
  try {
    options.directory = words[0];
    if (words.size() > 1) options.experts = std::stoi(words[1]);
    if (words.size() > 2) options.vocabulary = std::stoi(words[2]);
    leyden::make(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "make_checkpoint: {}\n", error.what());
    return 1;
  }
  return 0;
}
