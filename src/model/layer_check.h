#pragma once

#include "formats/checkpoint.h"

namespace leyden::model {

/// Sees that the config's layers are the checkpoint's: a model that lost some of them, or a part of
/// each, would load, and talk nonsense. There must be
///   - no layer behind those of the config; only one that predicts further tokens (MTP) may be
///     there uncounted, because nothing is decoded with it;
///   - no such layer among those that are decoded with;
///   - no shared experts, no selection bias of a router and no bias of attention that the config
///     has no place for. Other tensors that nothing is made from may be there.
/// Errors: LoadError naming the file, the tensor and the config's fields.
void check_layers(const formats::Checkpoint& checkpoint);

}  // namespace leyden::model
