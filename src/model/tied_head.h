#pragma once

#include "formats/checkpoint.h"

namespace leyden::model {

/// A config with tie_word_embeddings says that the head is the embeddings. A checkpoint that has an
/// lm_head.weight all the same may only repeat them: with other numbers in it nobody can know which
/// of the two the model was trained with, and programs differ in which they take.
/// Reads both matrices then, and otherwise nothing.
/// Errors: LoadError naming the file and the first row that differs, or its shape.
void check_tied_head(const formats::Checkpoint& checkpoint);

}  // namespace leyden::model
