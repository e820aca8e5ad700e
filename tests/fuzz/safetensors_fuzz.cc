// Any bytes as a safetensors file, as a calibration, and as the header of a file that has data
// enough.
#include "formats/safetensors.h"
#include "src/calibration.h"
#include "tests/fuzz/fuzz.h"

using namespace leyden;

namespace {

void check(const std::vector<formats::SafetensorsEntry>& entries, std::uint64_t data_begin,
           std::uint64_t file_bytes) {
  std::uint64_t end = data_begin;
  for (const formats::SafetensorsEntry& entry : entries) {
    fuzz::must(entry.offset == end, "entries follow each other");
    fuzz::must(entry.bytes <= file_bytes - end, "an entry lies inside the file");
    end += entry.bytes;
  }
  fuzz::must(end == file_bytes, "entries fill the file");
}

}  // namespace

FUZZ_TARGET(safetensors) {
  const std::string_view text = fuzz::text_of(data, size);
  const fuzz::MemoryFile whole(text);
  fuzz::accepts([&] {
    const formats::InputFile file(whole.path());
    std::uint64_t header = 0;
    const auto entries = formats::read_safetensors_header(file);
    file.read_exact(0, std::as_writable_bytes(std::span(&header, 1)));
    check(entries, header + sizeof header, file.size());
  });
  fuzz::accepts([&] {
    for (const auto& [name, n] : Calibration::load(whole.path()).unreached()) {
      fuzz::must(n > 0, "only what has some is listed");
    }
  });
  // The first two bytes say how much data there is, so that a header can be right.
  if (size < 2) return 0;
  const std::uint64_t data_begin = 8 + (size - 2);
  const std::uint64_t file_bytes = data_begin + data[0] + 256u * data[1];
  fuzz::accepts([&] {
    check(formats::parse_safetensors_header(text.substr(2), data_begin, file_bytes, "input"),
          data_begin, file_bytes);
  });
  return 0;
}
