#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/model_config.h"

namespace leyden::model {

/// How often each expert of each layer was chosen on some text: [layer][expert], empty for dense
/// layers, and all of it empty when nobody has counted.
using ExpertCounts = std::vector<std::vector<std::int64_t>>;

/// The name they have inside a container.
constexpr std::string_view kExpertCountsBlob = "routing_stats.json";

/// {"experts": [[counts of layer 0], ...]}.
std::string to_json(const ExpertCounts& counts);

/// Reads that back.
/// Errors: formats::LoadError naming `file`, the layer, found and expected.
ExpertCounts parse_expert_counts(std::string_view json, const formats::ModelConfig& config,
                                 const std::string& file);

}  // namespace leyden::model
