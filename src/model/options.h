#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace leyden::model {

/// Which cached tokens a query attends to.
enum class AttentionMode {
  kAuto,    // sparse where the model has an indexer
  kSparse,  // only what the indexer chose; an error for a model without one
  kDense,   // all of them, indexer or not
};

/// Which of two equivalent forms of MLA computes it (docs/design.md).
enum class MlaMode {
  kAuto,        // whichever costs less: decompress for long chunks at not too great a depth
  kAbsorb,      // always in latent space: bits don't depend on how a prompt is cut
  kDecompress,  // always per-head keys and values, of all tokens before
};

/// What a forward pass chose, for those who ask (leyden logits --trace). One entry per position.
/// What a layer's indexer sees, rotated, in f32 (an index cache of f32 keeps it so): of every token
/// its key, of tokens that select also queries and head weights; those of others mean nothing.
struct IndexTrace {
  std::vector<float> k;           // [tokens, index dim]
  std::vector<float> q, weights;  // [tokens, index heads, index dim], [tokens, index heads]
};
struct LayerTrace {
  std::vector<std::vector<std::int32_t>> experts;              // ascending; empty for dense layers
  std::vector<std::optional<std::vector<std::int32_t>>> topk;  // ascending; nothing: not scored
  std::optional<IndexTrace> index;  // appended to where the caller has put one
};
struct Trace {
  std::vector<LayerTrace> layers;
};

}  // namespace leyden::model
