#include "src/session_file.h"

#include <fmt/format.h>

#include <array>
#include <atomic>

#include "formats/compression.h"
#include "formats/indexed_file.h"
#include "formats/json_field.h"
#include "formats/load_error.h"

namespace leyden {
namespace {

using formats::Json;
using formats::JsonField;
using formats::LoadError;
using model::KvCache;

constexpr formats::FileKind kSessionFile{
    {'\x89', 'L', 'E', 'Y', 'S', 'E', 'S', '\n'}, 1, "leyden session"};
/// Caches are nearly noise: higher levels save little more and take several times as long.
constexpr int kCompressionLevel = 1;
constexpr std::array<const char*, 3> kFormatNames = {"f32", "bf16", "int8"};

template <class Format>
const char* format_name(Format format) {
  return kFormatNames[static_cast<std::size_t>(format)];
}

/// A frame's place in the file and the checksum of its bytes there.
struct Frame {
  std::uint64_t offset = 0, bytes = 0;
  formats::Checksum checksum;
};

int pages_of(std::int32_t n_tokens) {
  return (n_tokens + KvCache::kPageTokens - 1) / KvCache::kPageTokens;
}

/// Frame 0 holds the logits, frame 1 + page * layers + layer what the page keeps of the layer.
int n_frames(std::int32_t n_tokens, int layers) { return 1 + pages_of(n_tokens) * layers; }

std::string index_json(const std::string& model, const SessionState& state,
                       const std::vector<Frame>& frames) {
  Json list = Json::array();
  for (const Frame& f : frames) list.push_back({f.offset, f.bytes, formats::to_hex(f.checksum)});
  return Json{{"model", model},
              {"kv_cache", format_name(state.cache.formats().kv)},
              {"index_cache", format_name(state.cache.formats().index)},
              {"tokens", state.tokens},
              {"frames", std::move(list)}}
      .dump();
}

/// Refuses a session that isn't for this model, and gives its tokens.
std::vector<std::int32_t> read_tokens(const JsonField& root, const std::string& model,
                                      const SessionShape& shape) {
  const auto expect = [&](const char* field, const std::string& expected, const char* meaning) {
    const std::string& found = root.string(field);
    if (found == expected) return;
    throw LoadError(root.origin(), fmt::format("{} (field '{}' is \"{}\", expected \"{}\")",
                                               meaning, field, found, expected));
  };
  expect("model", model, "was made with another model or recipe");
  expect("kv_cache", format_name(shape.formats.kv), "was made with another --kv-cache");
  expect("index_cache", format_name(shape.formats.index), "was made with another --index-cache");
  const JsonField list = root.at("tokens");
  if (list.size() > static_cast<std::size_t>(shape.capacity)) {
    throw LoadError(root.origin(), fmt::format("has {} tokens, but the context holds {}",
                                               list.size(), shape.capacity));
  }
  std::vector<std::int32_t> tokens;
  for (std::size_t i = 0; i < list.size(); ++i) {
    tokens.push_back(
        static_cast<std::int32_t>(list.element(i).as_integer(0, shape.config.vocab_size - 1)));
  }
  return tokens;
}

std::vector<Frame> read_frames(const JsonField& root, std::size_t expected, std::uint64_t end) {
  const JsonField list = root.at("frames");
  if (list.size() != expected) {
    throw LoadError(root.origin(), fmt::format("field 'frames' has {} entries, expected {} for "
                                               "logits, pages and layers",
                                               list.size(), expected));
  }
  std::vector<Frame> frames;
  for (std::size_t i = 0; i < expected; ++i) {
    const JsonField entry = list.element(i);
    if (entry.size() != 3) entry.refuse("[offset, bytes, checksum]");
    const auto limit = static_cast<std::int64_t>(end);
    Frame& frame = frames.emplace_back();
    frame.offset = static_cast<std::uint64_t>(entry.element(0).as_integer(0, limit));
    frame.bytes = static_cast<std::uint64_t>(
        entry.element(1).as_integer(0, limit - static_cast<std::int64_t>(frame.offset)));
    const auto sum = formats::checksum_from_hex(entry.element(2).as_string());
    if (!sum) entry.element(2).refuse("32 hexadecimal digits");
    frame.checksum = *sum;
  }
  return frames;
}

/// Reads frames; every thread wants its own.
class FrameReader {
 public:
  void read(const formats::InputFile& file, const Frame& frame, std::span<std::byte> to) {
    if (frame.bytes > formats::Decompressor::bound(to.size())) {
      throw LoadError(file.name(), fmt::format("the frame at byte {} has {} bytes, too many for {} "
                                               "decompressed ones",
                                               frame.offset, frame.bytes, to.size()));
    }
    stored_.resize(frame.bytes);
    file.read_exact(frame.offset, stored_);
    if (formats::checksum(stored_) != frame.checksum) {
      throw LoadError(file.name(), fmt::format("the frame of {} bytes at byte {} is damaged: its "
                                               "checksum doesn't fit",
                                               frame.bytes, frame.offset));
    }
    if (!decompressor_.decompress(stored_, to)) {
      throw LoadError(file.name(), fmt::format("the frame of {} bytes at byte {} isn't {} bytes "
                                               "compressed by zstd",
                                               frame.bytes, frame.offset, to.size()));
    }
  }

 private:
  formats::Decompressor decompressor_;
  std::vector<std::byte> stored_;
};

}  // namespace

bool is_session(const std::filesystem::path& path) {
  return formats::is_of_kind(kSessionFile, path);
}

void write_session(const std::filesystem::path& path, const std::string& model,
                   const SessionState& state, runtime::ThreadTeam& team) {
  const KvCache& cache = state.cache;
  const auto n_tokens = static_cast<std::int32_t>(state.tokens.size());
  std::vector<Frame> frames(static_cast<std::size_t>(n_frames(n_tokens, cache.layers())));
  formats::OutputFile file(path, formats::kFileHeaderBytes, 0600);
  std::vector<formats::Compressor> compressors;
  for (int i = 0; i < team.size(); ++i) compressors.emplace_back(kCompressionLevel);
  std::vector<std::byte> cut(cache.layer_bytes() * static_cast<std::size_t>(team.size()));
  std::atomic<std::uint64_t> end = formats::kFileHeaderBytes;
  team.run(static_cast<int>(frames.size()), [&](int i, int worker) {
    std::span<const std::byte> bytes = std::as_bytes(std::span(state.logits));
    if (i > 0) {
      const int page = (i - 1) / cache.layers(), layer = (i - 1) % cache.layers();
      const std::int32_t n = n_tokens - page * KvCache::kPageTokens;
      bytes = cache.layer(page, layer);
      if (n < KvCache::kPageTokens) {
        const auto own = std::span(cut).subspan(
            static_cast<std::size_t>(worker) * cache.layer_bytes(), cache.layer_bytes());
        cache.copy_layer(page, layer, n, own.data());
        bytes = own;
      }
    }
    const auto frame = compressors[static_cast<std::size_t>(worker)].compress(bytes);
    const std::uint64_t offset = end.fetch_add(frame.size());
    file.write(offset, frame);
    frames[static_cast<std::size_t>(i)] = {offset, frame.size(), formats::checksum(frame)};
  });
  formats::write_index(kSessionFile, file, end, index_json(model, state, frames));
  file.commit();
}

SessionState read_session(const std::filesystem::path& path, const std::string& model,
                          const SessionShape& shape, runtime::ThreadTeam& team) {
  const formats::InputFile file(path);
  const formats::FileIndex index = formats::read_index(kSessionFile, file);
  const Json document = formats::parse_json(index.json, file.name() + ": index");
  const JsonField root(document, file.name());

  SessionState state{read_tokens(root, model, shape),
                     std::vector<float>(static_cast<std::size_t>(shape.config.vocab_size)),
                     KvCache(shape.config, shape.formats, team.crew().nodes_to_share())};
  KvCache& cache = state.cache;
  const auto n_tokens = static_cast<std::int32_t>(state.tokens.size());
  const std::vector<Frame> frames =
      read_frames(root, static_cast<std::size_t>(n_frames(n_tokens, cache.layers())), index.offset);
  cache.reserve(0, n_tokens);

  std::vector<FrameReader> readers(static_cast<std::size_t>(team.size()));
  team.run(static_cast<int>(frames.size()), [&](int i, int worker) {
    std::span<std::byte> to = std::as_writable_bytes(std::span(state.logits));
    if (i > 0) to = cache.layer((i - 1) / cache.layers(), (i - 1) % cache.layers());
    readers[static_cast<std::size_t>(worker)].read(file, frames[static_cast<std::size_t>(i)], to);
  });
  return state;
}

}  // namespace leyden
