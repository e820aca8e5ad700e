// Any bytes as a container whose checksums fit, since no others get far; or any index of one.
#include <optional>

#include "formats/container_reader.h"
#include "formats/json.h"
#include "src/model/placement.h"
#include "src/model/tensor_check.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seal.h"

using namespace leyden;

namespace {

constexpr std::size_t kDataBytes = 1 << 16;

/// The first bytes of every container here: room for a header, a config.json, zeros.
const std::string& data_part() {
  static const std::string bytes = [] {
    std::string data(formats::kFileHeaderBytes, '\0');
    data += formats::read_text_file(LEYDEN_TEST_DATA "/formats/configs/deepseek-v3.2.json");
    data.resize(kDataBytes);
    return data;
  }();
  return bytes;
}

void read_everything(const std::string& file) {
  const fuzz::MemoryFile memory(file);
  fuzz::accepts([&] {
    const formats::ContainerReader reader(memory.path());
    for (const formats::StoredTensor& tensor : reader.tensors()) {
      fuzz::must(tensor.bytes == tensor.spec.bytes(), "bytes are those of the shape");
      fuzz::must(tensor.offset + tensor.bytes <= reader.file_bytes(), "tensors lie in the file");
      fuzz::accepts([&] { reader.verify(tensor); });
    }
    for (const formats::StoredBlob& blob : reader.blobs()) {
      fuzz::accepts([&] { reader.blob(blob.name); });
    }
    for (const formats::StoredTensor& tensor : reader.all_tensors()) {
      fuzz::must(model::layer_of(tensor.spec.name) >= 0, "layers count from 0");
    }
    fuzz::accepts([&] { model::checked_tensors(reader); });
  });
}

/// The fingerprint that the index should have had, if that was its only fault.
std::optional<std::string> missed_fingerprint(std::string_view json) {
  try {
    formats::parse_container_index(json, kDataBytes, "input");
  } catch (const formats::LoadError& error) {
    const std::string_view sentence = error.what();
    constexpr std::string_view kExpected = ", expected ", kFrom = " from what the index lists";
    const std::size_t end = sentence.rfind(kFrom);
    const std::size_t begin = sentence.rfind(kExpected);
    if (end == sentence.npos || begin == sentence.npos) return std::nullopt;
    return std::string(sentence.substr(begin + kExpected.size(), end - begin - kExpected.size()));
  }
  return std::nullopt;
}

void index_alone(std::string json) {
  constexpr std::string_view kField = "\"fingerprint\":\"";
  const std::size_t at = json.find(kField);
  if (const auto right = missed_fingerprint(json); right && at != json.npos) {
    const std::size_t begin = at + kField.size();
    json.replace(begin, json.find('"', begin) - begin, *right);
  }
  std::string file = data_part() + json;
  fuzz::seal(formats::kContainer, file, kDataBytes);
  read_everything(file);
}

}  // namespace

FUZZ_TARGET(container) {
  std::string input(fuzz::text_of(data, size));
  if (input.starts_with('{')) {
    index_alone(std::move(input));
    return 0;
  }
  read_everything(input);
  if (size < formats::kFileHeaderBytes) return 0;
  // The last byte but one says where the index begins.
  fuzz::seal(formats::kContainer, input, formats::kFileHeaderBytes + data[size - 1] % (size - 63));
  read_everything(input);
  return 0;
}
