#pragma once

#include <memory>

#include "src/calibration.h"
#include "src/engine.h"
#include "src/evaluate.h"

namespace leyden {

/// Runs a model over documents and records the mean square of what every column of its matrices
/// multiplies, expert by expert. Activations are taken as the weights' kernels take them: floats
/// for f32 and bf16 weights, rounded to int8 for the others. kv_b's parts (k_b, k_b_absorbed, v_b)
/// are left out: which of them runs depends on the form of attention, and the named recipes
/// except small keep them out of int4. So are MTP layers, which don't run. One calibration at a
/// time in a process, and no other session meanwhile. Errors: std::runtime_error for a document
/// that is longer than the context.
Calibration calibrate(const std::shared_ptr<const Engine>& engine, const Documents& documents,
                      const EvaluationProgress& progress = {});

}  // namespace leyden
