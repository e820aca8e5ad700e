#include "src/model/synthetic.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "formats/checksum.h"
#include "quant/levels.h"
#include "quant/number.h"
#include "src/model/load_meter.h"
#include "src/model/tensor_plan.h"

namespace leyden::model {
namespace {

using quant::WeightFormat;

/// SplitMix64 (Steele, Lea and Flood, 2014): every seed gives its own stream.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u) {}
  std::uint64_t bits() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  /// Uniform with standard deviation 1.
  float uniform() {
    constexpr float kWidth = 3.4641016f;  // sqrt(12)
    return (static_cast<float>(bits() >> 40) * 0x1p-24f - 0.5f) * kWidth;
  }

 private:
  std::uint64_t state_;
};

void fill_floats(float* to, std::size_t n, float size, Random& random) {
  for (std::size_t i = 0; i < n; ++i) to[i] = size * random.uniform();
}

/// One block of 128 columns of an integer tile: the same scale everywhere, random codes.
void fill_integer_block(WeightFormat format, std::byte* block, std::uint16_t scale,
                        Random& random) {
  for (std::size_t i = 0; i < simd::kBlockScaleBytes; i += 2) std::memcpy(block + i, &scale, 2);
  for (std::size_t i = simd::kBlockScaleBytes; i < quant::block_bytes(format); i += 8) {
    std::uint64_t codes = random.bits();
    // An int8 code is w + 128 with w >= -127, never 0.
    if (format == WeightFormat::kInt8) codes |= 0x0101010101010101u;
    std::memcpy(block + i, &codes, 8);
  }
}

/// Fills tile `tile` of a matrix with weights of standard deviation `size`.
void fill_tile(const PlacedMatrix& placed, std::int64_t tile, float size, Random& random) {
  const quant::MatrixView matrix = {placed.format, placed.rows, placed.cols, nullptr};
  auto* const to = const_cast<std::byte*>(placed.tile(tile));
  const std::size_t n_values = matrix.tile_bytes() / (matrix.format == WeightFormat::kF32 ? 4 : 2);
  switch (matrix.format) {
    case WeightFormat::kF32:
      fill_floats(reinterpret_cast<float*>(to), n_values, size, random);
      return;
    case WeightFormat::kBf16: {
      auto* const values = reinterpret_cast<std::uint16_t*>(to);
      for (std::size_t i = 0; i < n_values; ++i) {
        values[i] = quant::f32_to_bf16(size * random.uniform());
      }
      return;
    }
    case WeightFormat::kInt8:
    case WeightFormat::kInt4: {
      // Codes are uniform: integers in [-127, 127] deviate by 73, the levels by about 32.
      const float deviation = matrix.format == WeightFormat::kInt8 ? 73.0f : 32.0f;
      const std::uint16_t scale = quant::f32_to_fp16(size / deviation);
      for (int b = 0; b < matrix.n_blocks(); ++b) {
        fill_integer_block(matrix.format,
                           to + static_cast<std::size_t>(b) * quant::block_bytes(matrix.format),
                           scale, random);
      }
      return;
    }
  }
}

void fill_rows(const quant::TensorSpec& spec, std::byte* to, Random& random) {
  const auto n = static_cast<std::size_t>(spec.rows * spec.cols);
  const bool is_norm = spec.name.ends_with("norm");
  if (spec.format == WeightFormat::kF32) {
    auto* const values = reinterpret_cast<float*>(to);
    if (is_norm) {
      std::fill_n(values, n, 1.0f);
    } else {
      fill_floats(values, n, spec.rows == 1 ? 0.01f : 1.0f, random);
    }
    return;
  }
  auto* const values = reinterpret_cast<std::uint16_t*>(to);
  for (std::size_t i = 0; i < n; ++i) values[i] = quant::f32_to_bf16(random.uniform());
}

struct Work {
  const PlacedTensor* tensor;
  std::int64_t matrix, first_tile, n_tiles;
  std::uint64_t bytes;

  int node() const {
    if (tensor->parts.empty()) return tensor->rows_node;
    return tensor->stack()[matrix].node_of(first_tile * simd::kTileRows);
  }
};

void fill(const Work& work, std::uint64_t seed) {
  const quant::TensorSpec& spec = work.tensor->spec;
  Random random(seed);
  if (spec.layout == quant::Layout::kRows) {
    fill_rows(spec, const_cast<std::byte*>(work.tensor->rows_data), random);
    return;
  }
  const PlacedMatrix matrix = work.tensor->stack()[work.matrix];
  if (spec.format == WeightFormat::kInt4 && work.first_tile == 0) {
    for (const MatrixPart& part : matrix.parts) {
      std::memcpy(const_cast<std::byte*>(part.rows.data), quant::kGaussianLevels.data(),
                  quant::kGaussianLevels.size());
    }
  }
  const float size = 1.0f / std::sqrt(static_cast<float>(spec.cols));
  for (std::int64_t t = 0; t < work.n_tiles; ++t) {
    fill_tile(matrix, work.first_tile + t, size, random);
  }
}

/// Cuts a tensor into pieces of some MB.
void cut(const PlacedTensor& tensor, std::vector<Work>& all) {
  const quant::TensorSpec& spec = tensor.spec;
  if (spec.layout == quant::Layout::kRows) {
    all.push_back({&tensor, 0, 0, 0, spec.bytes()});
    return;
  }
  const quant::MatrixView shape = {spec.format, spec.rows, spec.cols, nullptr};
  constexpr std::int64_t kTiles = 64;
  for (std::int64_t m = 0; m < spec.count; ++m) {
    for (std::int64_t t = 0; t < shape.n_tiles(); t += kTiles) {
      const std::int64_t n = std::min(kTiles, shape.n_tiles() - t);
      all.push_back({&tensor, m, t, n, static_cast<std::size_t>(n) * shape.tile_bytes()});
    }
  }
}

}  // namespace

std::vector<quant::TensorSpec> synthetic_specs(const formats::ModelConfig& config,
                                               const quant::Recipe& recipe) {
  return tensor_specs(config, [&](const PlannedTensor& planned) {
    const bool is_vector = planned.layout == quant::Layout::kRows && planned.rows == 1;
    return is_vector ? WeightFormat::kF32
                     : quant::format_for(recipe, planned.name, planned.layout, WeightFormat::kBf16);
  });
}

formats::ModelConfig synthetic_config(std::string_view shape, int dense_layers, int moe_layers) {
  formats::ModelConfig c;
  c.model_type = "synthetic";
  c.kv_lora_rank = 512;
  c.qk_nope_head_dim = 128;
  c.qk_rope_head_dim = 64;
  c.v_head_dim = 128;
  c.max_position_embeddings = 163840;
  if (shape == "v3" || shape == "v3.2") {
    c.architecture = formats::Architecture::kDeepseekV3;
    c.hidden_size = 7168;
    c.vocab_size = 129280;
    c.num_attention_heads = 128;
    c.q_lora_rank = 1536;
    c.intermediate_size = 18432;
    c.moe_intermediate_size = 2048;
    c.n_routed_experts = 256;
    c.n_shared_experts = 1;
    c.num_experts_per_tok = 8;
    c.n_group = 8;
    c.topk_group = 4;
    c.routed_scaling_factor = 2.5;
  } else if (shape == "lite") {
    c.architecture = formats::Architecture::kDeepseekV2;
    c.hidden_size = 2048;
    c.vocab_size = 102400;
    c.num_attention_heads = 16;
    c.intermediate_size = 10944;
    c.moe_intermediate_size = 1408;
    c.n_routed_experts = 64;
    c.n_shared_experts = 2;
    c.num_experts_per_tok = 6;
    c.scoring_func = formats::ScoringFunc::kSoftmax;
    c.topk_method = formats::TopkMethod::kGreedy;
    c.norm_topk_prob = false;
  } else {
    throw std::runtime_error(fmt::format("synthetic model '{}': expected v3.2, v3 or lite", shape));
  }
  if (shape == "v3.2") {
    c.architecture = formats::Architecture::kDeepseekV32;
    c.index_n_heads = 64;
    c.index_head_dim = 128;
    c.index_topk = 2048;
  }
  c.first_k_dense_replace = dense_layers;
  c.num_hidden_layers = dense_layers + moe_layers;
  // The head's share of the work stays what it is in the whole model.
  const int true_layers = shape == "lite" ? 27 : 61;
  c.vocab_size = std::max(1024, c.vocab_size * c.num_hidden_layers / true_layers);
  if (moe_layers == 0) c.n_routed_experts = c.num_experts_per_tok = c.n_shared_experts = 0;
  formats::check_model_config(c, "synthetic " + std::string(shape));
  return c;
}

std::unique_ptr<LoadedModel> make_synthetic(const formats::ModelConfig& config,
                                            const quant::Recipe& recipe, WeightMemory memory,
                                            runtime::ThreadTeam& team, const Progress& progress) {
  auto loaded = std::make_unique<LoadedModel>();
  loaded->source = "synthetic";
  loaded->config = config;
  loaded->recipe = recipe.name;
  loaded->fingerprint = to_hex(formats::checksum(recipe.name + formats::to_json(config)));

  const std::vector<quant::TensorSpec> specs = synthetic_specs(config, recipe);
  allocate_tensors(*loaded, specs, std::move(memory));
  std::vector<Work> work;
  std::uint64_t total = 0;
  for (const quant::TensorSpec& spec : specs) {
    cut(loaded->tensors.at(spec.name), work);
    total += spec.bytes();
  }
  LoadMeter meter(total, progress);
  team.run(
      static_cast<int>(work.size()),
      [&](int i, int) {
        const Work& w = work[static_cast<std::size_t>(i)];
        meter.attempt(w.bytes, [&] { fill(w, static_cast<std::uint64_t>(i) + 1); });
      },
      [&](int i) { return work[static_cast<std::size_t>(i)].node(); });
  loaded->weights = bind_weights(config, loaded->tensors, loaded->source);
  return loaded;
}

void fill_cache(const formats::ModelConfig& config, const KvCache& cache, std::int32_t begin,
                std::int32_t end, runtime::ThreadTeam& team) {
  const simd::Kernels& k = simd::kernels();
  const simd::KvFormat kv = cache.formats().kv;
  const simd::IndexFormat index = cache.formats().index;
  const auto store_row = kv == simd::KvFormat::kF32    ? k.kv_store_f32
                         : kv == simd::KvFormat::kBf16 ? k.kv_store_bf16
                                                       : k.kv_store_int8;
  const auto store_key = index == simd::IndexFormat::kF32    ? k.index_store_f32
                         : index == simd::IndexFormat::kBf16 ? k.index_store_bf16
                                                             : k.index_store_int8;
  const int width = config.kv_lora_rank + config.qk_rope_head_dim;
  const int row = std::max(width, config.index_head_dim);
  constexpr std::int32_t kPerPiece = 64;
  std::vector<float> values(static_cast<std::size_t>(team.size() * row));
  team.run((end - begin + kPerPiece - 1) / kPerPiece, [&](int piece, int worker) {
    float* const x = values.data() + std::ptrdiff_t{worker} * row;
    const std::int32_t first = begin + piece * kPerPiece;
    Random random(static_cast<std::uint64_t>(first) + 1);
    for (std::int32_t p = first; p < std::min(first + kPerPiece, end); ++p) {
      for (int layer = 0; layer < config.num_hidden_layers; ++layer) {
        fill_floats(x, static_cast<std::size_t>(width), 1.0f, random);
        store_row(x, x + config.kv_lora_rank, config.kv_lora_rank, config.qk_rope_head_dim,
                  cache.row(layer, p));
        if (!config.has_indexer()) continue;
        fill_floats(x, static_cast<std::size_t>(config.index_head_dim), 1.0f, random);
        store_key(x, config.index_head_dim, cache.index_tile(layer, p), p % 16);
      }
    }
  });
}

}  // namespace leyden::model
