#include "formats/container_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>
#include <stdexcept>

#include "formats/compression.h"
#include "formats/json_field.h"
#include "formats/json_text.h"
#include "formats/load_error.h"

namespace leyden::formats {
namespace {

constexpr std::int64_t kMaxSide = std::numeric_limits<std::int32_t>::max();

Checksum read_checksum(const JsonField& entry) {
  const JsonField field = entry.at("xxh3");
  const auto sum = checksum_from_hex(field.as_string());
  if (!sum) field.refuse("32 hexadecimal digits");
  return *sum;
}

StoredBlob read_blob(const JsonField& entry) {
  return {entry.string("name"), static_cast<std::uint64_t>(entry.integer("offset")),
          static_cast<std::uint64_t>(entry.integer("bytes")), read_checksum(entry)};
}

std::uint64_t number(const JsonField& list, std::size_t i) {
  return static_cast<std::uint64_t>(list.element(i).as_integer());
}

/// Frames that together hold `bytes` bytes, none of them of a size that nobody would write.
std::vector<StoredFrame> read_frames(const JsonField& list, std::uint64_t bytes) {
  std::vector<StoredFrame> frames;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const JsonField entry = list.element(i);
    if (entry.size() != 3) entry.refuse("[bytes, offset, stored bytes]");
    const StoredFrame frame = {number(entry, 0), number(entry, 1), number(entry, 2)};
    if (frame.bytes == 0 || frame.bytes > kMaxFrameBytes || frame.bytes > bytes - total ||
        frame.stored_bytes > Decompressor::bound(frame.bytes)) {
      entry.refuse(fmt::format("at most {} of {} bytes, stored in no more than they need",
                               std::min(kMaxFrameBytes, bytes - total), bytes));
    }
    total += frame.bytes;
    frames.push_back(frame);
  }
  if (total != bytes || frames.empty()) {
    list.refuse(fmt::format("frames of {} bytes in all, not of {}", bytes, total));
  }
  return frames;
}

StoredTensor read_tensor(const JsonField& entry) {
  StoredTensor tensor;
  tensor.spec.name = entry.string("name");
  const auto format = quant::weight_format_named(entry.string("format"));
  if (!format) entry.at("format").refuse("\"f32\", \"bf16\", \"int8\" or \"int4\"");
  const auto layout = quant::layout_named(entry.string("layout"));
  if (!layout) entry.at("layout").refuse("\"rows\" or \"tiles\"");
  tensor.spec.format = *format;
  tensor.spec.layout = *layout;
  tensor.spec.count = entry.integer("count", 1, kMaxSide);
  tensor.spec.rows = entry.integer("rows", 1, kMaxSide);
  tensor.spec.cols = entry.integer("cols", 1, kMaxSide);
  tensor.bytes = static_cast<std::uint64_t>(entry.integer("bytes"));
  if (const auto frames = entry.find("zstd")) {
    tensor.frames = read_frames(*frames, tensor.bytes);
  } else {
    tensor.offset = static_cast<std::uint64_t>(entry.integer("offset"));
  }
  tensor.checksum = read_checksum(entry);
  return tensor;
}

void check_tensor_bytes(const StoredTensor& tensor, const std::string& file) {
  std::uint64_t expected = 0;
  try {
    expected = tensor.spec.bytes();
  } catch (const std::logic_error& error) {  // the shapes and formats that quant doesn't pack
    throw LoadError(file, fmt::format("tensor '{}': {}", excerpt(tensor.spec.name, 200),
                                      excerpt(error.what(), 300)));
  }
  if (tensor.bytes == expected) return;
  throw LoadError(file, fmt::format("tensor '{}' has {} bytes, expected {} for {} {} matrices of "
                                    "[{}, {}] in {}",
                                    excerpt(tensor.spec.name, 200), tensor.bytes, expected,
                                    tensor.spec.count, name(tensor.spec.format), tensor.spec.rows,
                                    tensor.spec.cols, name(tensor.spec.layout)));
}

/// A blob or tensor as a range of bytes.
struct Part {
  std::uint64_t offset;
  std::uint64_t bytes;
  std::uint64_t alignment;
  std::string_view name;
};

std::vector<Part> parts_of(const ContainerIndex& index) {
  std::vector<Part> parts;
  for (const StoredBlob& blob : index.blobs) {
    parts.push_back({blob.offset, blob.bytes, kSmallAlignment, blob.name});
  }
  for (const StoredTensor& tensor : index.tensors) {
    for (const StoredFrame& frame : tensor.frames) {
      parts.push_back({frame.offset, frame.stored_bytes, 1, tensor.spec.name});
    }
    if (!tensor.frames.empty()) continue;
    parts.push_back({tensor.offset, tensor.bytes, alignment_of(tensor.bytes), tensor.spec.name});
  }
  return parts;
}

void check_places(std::vector<Part> parts, std::uint64_t index_offset, const std::string& file) {
  std::sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
    return a.offset != b.offset ? a.offset < b.offset : a.bytes < b.bytes;
  });
  std::uint64_t end = kFileHeaderBytes;
  for (const Part& part : parts) {
    const std::string who = fmt::format("'{}' at byte {}", excerpt(part.name, 200), part.offset);
    if (part.offset % part.alignment != 0) {
      throw LoadError(file, fmt::format("{}: expected a multiple of {}", who, part.alignment));
    }
    if (part.offset < end) {
      throw LoadError(file, fmt::format("{} overlaps what ends at byte {}", who, end));
    }
    if (part.offset > index_offset || part.bytes > index_offset - part.offset) {
      throw LoadError(file, fmt::format("{} has {} bytes, beyond the end of the data at byte {}",
                                        who, part.bytes, index_offset));
    }
    end = part.offset + part.bytes;
  }
}

void check_names(const ContainerIndex& index, const std::string& file) {
  std::set<std::string_view> seen;
  const auto check = [&](std::string_view name) {
    if (seen.insert(name).second && !name.empty()) return;
    throw LoadError(file,
                    fmt::format("the index has the name '{}' twice or empty", excerpt(name, 200)));
  };
  for (const StoredBlob& blob : index.blobs) check(blob.name);
  for (const StoredTensor& tensor : index.tensors) check(tensor.spec.name);
}

}  // namespace

std::uint64_t StoredTensor::stored_bytes() const {
  std::uint64_t stored = frames.empty() ? bytes : 0;
  for (const StoredFrame& frame : frames) stored += frame.stored_bytes;
  return stored;
}

std::string fingerprint(const ContainerIndex& index) {
  std::vector<std::string> lines{fmt::format("recipe {}\n", index.recipe)};
  for (const StoredBlob& blob : index.blobs) {
    if (blob.name == "config.json") lines.push_back("config " + to_hex(blob.checksum) + "\n");
  }
  for (const StoredTensor& t : index.tensors) {
    lines.push_back(fmt::format("tensor {} {} {} {} {} {} {}\n", t.spec.name, name(t.spec.format),
                                name(t.spec.layout), t.spec.count, t.spec.rows, t.spec.cols,
                                to_hex(t.checksum)));
  }
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += line;
  return to_hex(checksum(text));
}

std::string to_json(const ContainerIndex& index) {
  Json json{{"recipe", index.recipe},
            {"fingerprint", fingerprint(index)},
            {"blobs", Json::array()},
            {"tensors", Json::array()}};
  for (const StoredBlob& blob : index.blobs) {
    json["blobs"].push_back({{"name", blob.name},
                             {"offset", blob.offset},
                             {"bytes", blob.bytes},
                             {"xxh3", to_hex(blob.checksum)}});
  }
  for (const StoredTensor& t : index.tensors) {
    Json& entry = json["tensors"].emplace_back();
    entry = {
        {"name", t.spec.name},   {"format", name(t.spec.format)}, {"layout", name(t.spec.layout)},
        {"count", t.spec.count}, {"rows", t.spec.rows},           {"cols", t.spec.cols},
        {"bytes", t.bytes},      {"xxh3", to_hex(t.checksum)}};
    if (t.frames.empty()) entry["offset"] = t.offset;
    for (const StoredFrame& frame : t.frames) {
      entry["zstd"].push_back({frame.bytes, frame.offset, frame.stored_bytes});
    }
  }
  return json.dump();
}

ContainerIndex parse_container_index(std::string_view json, std::uint64_t index_offset,
                                     const std::string& file) {
  const Json document = parse_json(json, file);
  const JsonField fields(document, file);
  ContainerIndex index;
  index.recipe = fields.string("recipe");
  const JsonField blobs = fields.at("blobs");
  for (std::size_t i = 0; i < blobs.size(); ++i) index.blobs.push_back(read_blob(blobs.element(i)));
  const JsonField tensors = fields.at("tensors");
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    index.tensors.push_back(read_tensor(tensors.element(i)));
    check_tensor_bytes(index.tensors.back(), file);
  }
  check_names(index, file);
  check_places(parts_of(index), index_offset, file);
  if (const std::string expected = fingerprint(index); fields.string("fingerprint") != expected) {
    fields.at("fingerprint").refuse(fmt::format("{} from what the index lists", expected));
  }
  return index;
}

}  // namespace leyden::formats
