#pragma once

#include "formats/checkpoint.h"

namespace leyden::model {

/// Sees that the checkpoint has no layer behind those of its config: a model that lost its last
/// layers would load, and talk nonsense. A layer that predicts further tokens (MTP) may be there
/// uncounted, because nothing is decoded with it.
/// Errors: LoadError naming the file, the tensor and the config's fields.
void check_layer_count(const formats::Checkpoint& checkpoint);

}  // namespace leyden::model
