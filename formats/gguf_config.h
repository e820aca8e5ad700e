#pragma once

#include <cstdint>

#include "formats/gguf_keys.h"
#include "formats/model_config.h"

namespace leyden::formats {

/// What a model's tensors tell and its keys don't: whether the router has a selection bias, whether
/// the head is a tensor of its own, and for how many tokens the embedding has rows.
struct GgufTraits {
  bool has_selection_bias = false;
  bool has_head = true;
  std::int64_t vocab_size = 0;
};

/// Translates the keys of architectures deepseek2 (V2-Lite, V3, R1, V3.1, Kimi-K2) and deepseek32
/// (V3.2). A file that doesn't mention expert groups has none, whatever the model had.
/// Errors: LoadError naming the key, what it holds and what was expected; another architecture by
///         its name; and as check_model_config().
ModelConfig gguf_model_config(const GgufKeys& keys, const GgufTraits& traits);

}  // namespace leyden::formats
