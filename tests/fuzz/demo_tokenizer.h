#pragma once

#include "formats/tokenizer_file.h"
#include "src/text/tokenizer.h"

namespace leyden::fuzz {

/// The demo model's, read once.
inline const text::Tokenizer& demo_tokenizer() {
  static const text::Tokenizer demo(
      formats::read_tokenizer_file(LEYDEN_SOURCE_DIR "/models/demo/checkpoint/tokenizer.json"));
  return demo;
}

}  // namespace leyden::fuzz
