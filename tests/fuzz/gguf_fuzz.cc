// Any bytes as the head of a GGUF file; zeros follow, so that tensors may lie inside the file.
#include "formats/checkpoint.h"
#include "formats/gguf_checkpoint.h"
#include "formats/tokenizer_file.h"
#include "tests/fuzz/fuzz.h"

using namespace leyden;

FUZZ_TARGET(gguf) {
  constexpr std::size_t kFileBytes = std::size_t{2} << 20;
  constexpr std::int64_t kMaxCols = 1 << 20;
  const fuzz::MemoryFile file(fuzz::text_of(data, size), kFileBytes);
  fuzz::accepts([&] {
    const auto model = formats::open_gguf_checkpoint(file.path());
    for (const formats::CheckpointTensor& tensor : model->tensors()) {
      if (tensor.rows() < 1 || tensor.cols() > kMaxCols) continue;
      std::vector<float> row(static_cast<std::size_t>(tensor.cols()));
      fuzz::accepts(
          [&] { model->read_rows_f32(tensor, tensor.rows() - 1, tensor.rows(), row.data()); });
    }
    if (const auto tokenizer = model->companion("tokenizer.json")) {
      formats::parse_tokenizer_json(*tokenizer, "tokenizer.json");
    }
    model->companion("tokenizer_config.json");
  });
  return 0;
}
