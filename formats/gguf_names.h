#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace leyden::formats {

/// The number and the rest of a GGUF name "blk.12.attn_q_a.weight", if it is that of a layer.
struct GgufLayerName {
  int layer = 0;
  std::string_view part;  // "attn_q_a.weight"; borrows the name
};
std::optional<GgufLayerName> parse_layer_name(std::string_view gguf_name);

/// The Hugging Face name of a GGUF tensor of DeepSeek's architectures. "{}" in it stands for the
/// expert: GGUF stacks the experts of a layer in one tensor.
/// Nothing for names this table doesn't have, and for attn_k_b and attn_v_b, which are halves of
/// kv_b_proj (gguf_kv_b.h).
std::optional<std::string> hf_tensor_name(std::string_view gguf_name);

}  // namespace leyden::formats
