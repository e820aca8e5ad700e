#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "formats/model_config.h"
#include "quant/recipe.h"
#include "src/model/kv_cache.h"
#include "src/model/loaded_model.h"

namespace leyden::model {

/// Shapes that can be measured without a checkpoint: "v3.2", "v3" (true widths of DeepSeek-V3.2 and
/// V3) and "lite" (V2-Lite's). dense_layers and moe_layers: how many of each; a few tell the time
/// of one, and the real model doesn't have to fit. Errors: std::runtime_error naming the known
/// shapes.
formats::ModelConfig synthetic_config(std::string_view shape, int dense_layers, int moe_layers);

/// All its tensors.
std::vector<quant::TensorSpec> synthetic_specs(const formats::ModelConfig& config,
                                               const quant::Recipe& recipe);

/// A model of random weights, written straight into their packed formats. Their sizes are such that
/// activations keep theirs, and tokens spread evenly over the experts.
std::unique_ptr<LoadedModel> make_synthetic(const formats::ModelConfig& config,
                                            const quant::Recipe& recipe, WeightMemory memory,
                                            runtime::ThreadTeam& team, const Progress& progress);

/// Fills positions [begin, end) of a cache, which has room, with random rows of plausible sizes, so
/// that a deep context can be measured without prefilling it.
void fill_cache(const formats::ModelConfig& config, const KvCache& cache, std::int32_t begin,
                std::int32_t end, runtime::ThreadTeam& team);

}  // namespace leyden::model
