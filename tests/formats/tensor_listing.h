#pragma once

#include <zstd.h>

#include <charconv>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"
#include "formats/tensor_type.h"

namespace leyden::fixtures {

/// One tensor of a released checkpoint.
struct ListedTensor {
  std::string name;
  formats::TensorType type;
  std::vector<std::int64_t> shape;
};

inline std::string decompressed(const std::string& bytes) {
  std::string text(ZSTD_getFrameContentSize(bytes.data(), bytes.size()), '\0');
  const std::size_t n = ZSTD_decompress(text.data(), text.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(n) != 0) throw std::runtime_error(ZSTD_getErrorName(n));
  return text;
}

/// "name<TAB>dtype<TAB>rows x cols" (without spaces). Throws std::runtime_error for anything else.
inline ListedTensor parse_listing_line(std::string_view line) {
  const auto first = line.find('\t');
  const auto second = line.find('\t', first + 1);
  if (second == std::string_view::npos)
    throw std::runtime_error("no listing: " + std::string(line));
  const auto type = formats::tensor_type_named(line.substr(first + 1, second - first - 1));
  if (!type) throw std::runtime_error("unknown type: " + std::string(line));
  ListedTensor tensor{std::string(line.substr(0, first)), *type, {}};
  const char* at = line.data() + second;
  const char* const end = line.data() + line.size();
  while (at != end) {
    const auto parsed = std::from_chars(at + 1, end, tensor.shape.emplace_back());
    if (parsed.ec != std::errc()) throw std::runtime_error("no shape: " + std::string(line));
    at = parsed.ptr;
  }
  return tensor;
}

/// All tensors of a released model: "deepseek-v2-lite", "deepseek-v3.1", "deepseek-v3.2", "glm-5.1"
/// or "kimi-k2-instruct" (tests/data/formats/ORIGIN.md).
inline std::vector<ListedTensor> tensor_listing(const std::string& model) {
  const std::string text = decompressed(
      formats::read_text_file(LEYDEN_TEST_DATA "/formats/tensors/" + model + ".tensors.tsv.zst"));
  std::vector<ListedTensor> tensors;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    tensors.push_back(parse_listing_line(std::string_view(text).substr(begin, end - begin)));
    begin = end + 1;
  }
  return tensors;
}

}  // namespace leyden::fixtures
