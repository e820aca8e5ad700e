#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leyden::fixtures {

inline const std::filesystem::path kGgufModels = LEYDEN_TEST_DATA "/gguf/models";

/// Little-endian bytes of a number.
template <typename Number>
std::string bytes_of(Number value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

/// A GGUF string: u64 length, then the bytes.
inline std::string gguf_string(std::string_view text) {
  return bytes_of(std::uint64_t{text.size()}) + std::string(text);
}

/// Values of keys: u32 kind, then the value.
inline std::string gguf_u32(std::uint32_t value) {
  return bytes_of(std::uint32_t{4}) + bytes_of(value);
}
inline std::string gguf_u16(std::uint16_t value) {
  return bytes_of(std::uint32_t{2}) + bytes_of(value);
}
inline std::string gguf_i32(std::int32_t value) {
  return bytes_of(std::uint32_t{5}) + bytes_of(value);
}
inline std::string gguf_f32(float value) { return bytes_of(std::uint32_t{6}) + bytes_of(value); }
inline std::string gguf_text_value(std::string_view text) {
  return bytes_of(std::uint32_t{8}) + gguf_string(text);
}
/// An array whose elements are already bytes.
inline std::string gguf_array(std::uint32_t element_kind, std::uint64_t count,
                              std::string_view elements) {
  return bytes_of(std::uint32_t{9}) + bytes_of(element_kind) + bytes_of(count) +
         std::string(elements);
}

/// A GGUF file in pieces, any of which a test may replace by something harmful.
struct GgufText {
  struct Tensor {
    std::string name;
    std::vector<std::uint64_t> sizes;  // fastest first, as in the file
    std::uint32_t type = 0;
    std::uint64_t offset = 0;  // in the data
  };

  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::uint64_t extra_tensors = 0;  // claimed beyond those there are (may wrap)
  std::uint64_t extra_keys = 0;
  std::vector<std::pair<std::string, std::string>> keys;  // name, value
  std::vector<Tensor> tensors;
  std::uint64_t alignment = 32;
  std::string data;

  void set(const std::string& name, const std::string& value) {
    for (auto& [key, old] : keys) {
      if (key == name) {
        old = value;
        return;
      }
    }
    keys.emplace_back(name, value);
  }
  void erase(const std::string& name) {
    std::erase_if(keys, [&](const auto& each) { return each.first == name; });
  }
  Tensor& tensor(const std::string& name) {
    for (Tensor& each : tensors) {
      if (each.name == name) return each;
    }
    return tensors.emplace_back(Tensor{name, {}, 0, 0});
  }

  std::string file() const {
    std::string bytes = magic + bytes_of(version) +
                        bytes_of(std::uint64_t{tensors.size()} + extra_tensors) +
                        bytes_of(std::uint64_t{keys.size()} + extra_keys);
    for (const auto& [name, value] : keys) bytes += gguf_string(name) + value;
    for (const Tensor& each : tensors) {
      bytes += gguf_string(each.name) + bytes_of(static_cast<std::uint32_t>(each.sizes.size()));
      for (const std::uint64_t size : each.sizes) bytes += bytes_of(size);
      bytes += bytes_of(each.type) + bytes_of(each.offset);
    }
    bytes.append((alignment - bytes.size() % alignment) % alignment, '\0');
    return bytes + data;
  }

  /// Takes a whole file (version 3, default alignment) apart. Only for files known to be good.
  static GgufText of(const std::string& bytes);
};

/// Reads what GgufText::of() needs, without any checks.
class GgufTextReader {
 public:
  explicit GgufTextReader(const std::string& bytes) : bytes_(bytes) {}

  template <typename Number>
  Number number() {
    Number value{};
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  std::string string() {
    const auto length = number<std::uint64_t>();
    at_ += length;
    return bytes_.substr(at_ - length, length);
  }
  /// Kind and value as bytes.
  std::string value() {
    const std::size_t begin = at_;
    skip_value(number<std::uint32_t>());
    return bytes_.substr(begin, at_ - begin);
  }
  std::size_t at() const { return at_; }

 private:
  void skip_value(std::uint32_t kind) {
    constexpr std::size_t kBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    if (kind == 8) {
      string();
    } else if (kind == 9) {
      const auto element = number<std::uint32_t>();
      const auto count = number<std::uint64_t>();
      for (std::uint64_t i = 0; i < count; ++i) skip_value(element);
    } else {
      at_ += kBytes[kind];
    }
  }

  const std::string& bytes_;
  std::size_t at_ = 0;
};

inline GgufText GgufText::of(const std::string& bytes) {
  GgufText text;
  GgufTextReader reader(bytes);
  reader.number<std::uint64_t>();  // magic and version
  const auto n_tensors = reader.number<std::uint64_t>();
  const auto n_keys = reader.number<std::uint64_t>();
  for (std::uint64_t i = 0; i < n_keys; ++i) {
    std::string name = reader.string();
    text.keys.emplace_back(std::move(name), reader.value());
  }
  for (std::uint64_t i = 0; i < n_tensors; ++i) {
    Tensor each;
    each.name = reader.string();
    each.sizes.resize(reader.number<std::uint32_t>());
    for (std::uint64_t& size : each.sizes) size = reader.number<std::uint64_t>();
    each.type = reader.number<std::uint32_t>();
    each.offset = reader.number<std::uint64_t>();
    text.tensors.push_back(std::move(each));
  }
  text.data = bytes.substr((reader.at() + 31) / 32 * 32);
  return text;
}

}  // namespace leyden::fixtures
