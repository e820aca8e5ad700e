#include "src/model/tied_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "formats/load_error.h"

namespace leyden::model {

void check_tied_head(const formats::Checkpoint& checkpoint) {
  constexpr std::int64_t kRows = 256;
  const formats::ModelConfig& config = checkpoint.config();
  if (!config.tie_word_embeddings || checkpoint.find("lm_head.weight") == nullptr) return;
  const std::int64_t rows = config.vocab_size, cols = config.hidden_size;
  const auto& head = checkpoint.require("lm_head.weight", rows, cols, "[vocab_size, hidden_size]");
  const auto& embeddings =
      checkpoint.require("model.embed_tokens.weight", rows, cols, "[vocab_size, hidden_size]");
  std::vector<float> a(static_cast<std::size_t>(kRows * cols)), b(a.size());
  for (std::int64_t row = 0; row < rows; row += kRows) {
    const std::int64_t n = std::min(kRows, rows - row);
    checkpoint.read_rows_f32(head, row, row + n, a.data());
    checkpoint.read_rows_f32(embeddings, row, row + n, b.data());
    const auto [differs, other] = std::mismatch(a.begin(), a.begin() + n * cols, b.begin());
    if (differs == a.begin() + n * cols) continue;
    throw formats::LoadError(
        head.file,
        fmt::format(
            "tensor '{}' at byte {}: row {} is not that of '{}', but config.json has "
            "tie_word_embeddings, by which both are one matrix; set it to false to use this "
            "tensor",
            head.name, head.offset, row + (differs - a.begin()) / cols, embeddings.name));
  }
}

}  // namespace leyden::model
