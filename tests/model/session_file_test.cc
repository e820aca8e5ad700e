#include "src/session_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "formats/indexed_file.h"
#include "formats/json.h"
#include "formats/output_file.h"
#include "src/model/synthetic.h"
#include "src/session.h"
#include "tests/formats/refusal.h"
#include "tests/formats/temp_directory.h"
#include "tests/model/golden.h"

namespace leyden {
namespace {

using formats::Json;
using ::leyden::fixtures::refusal_of;
using ::testing::HasSubstr;

// Copied from src/session_file.cc, so that a change there doesn't go unnoticed.
constexpr formats::FileKind kKind{
    {'\x89', 'L', 'E', 'Y', 'S', 'E', 'S', '\n'}, 1, "leyden session"};

std::vector<std::int32_t> some_tokens(int n, int seed) {
  std::vector<std::int32_t> tokens;
  for (int i = 0; i < n; ++i) tokens.push_back((i * i + seed * 31 + i / 7) % 160);
  return tokens;
}

EngineOptions absorbed_options() {
  EngineOptions options;
  options.threads = 2;
  options.prefill_chunk = 64;
  options.mla = MlaChoice::kAbsorb;  // the bits don't depend on where a prompt is cut
  return options;
}

std::shared_ptr<const Engine> tiny(const EngineOptions& options,
                                   const std::string& name = "v32-tiny-fp8") {
  return Engine::load(model::golden_checkpoint(name), options);
}

std::vector<float> copy(std::span<const float> logits) { return {logits.begin(), logits.end()}; }

class SessionFileTest : public ::testing::Test {
 protected:
  const fixtures::TempDirectory dir_;
  const std::filesystem::path path_ = dir_.path() / "a.session";
};

TEST_F(SessionFileTest, GoesOnWithTheSameBits) {
  for (const KvCacheFormat format :
       {KvCacheFormat::kF32, KvCacheFormat::kBf16, KvCacheFormat::kInt8}) {
    for (const int n : {0, 1, 15, 256, 300}) {  // nothing, part of a tile, a page, a page and a bit
      EngineOptions options = absorbed_options();
      options.kv_cache = format;
      Session session(tiny(options));
      if (n > 0) session.prefill(some_tokens(n, 1));
      session.save(path_);

      options.threads = 3;
      Session loaded(tiny(options));
      loaded.prefill(some_tokens(20, 9));  // what it held is forgotten
      loaded.load(path_);
      EXPECT_TRUE(std::ranges::equal(loaded.tokens(), session.tokens()));
      EXPECT_EQ(copy(loaded.logits()), copy(session.logits()));
      for (const std::int32_t token : some_tokens(8, 2)) {
        session.decode(token);
        loaded.decode(token);
      }
      EXPECT_EQ(copy(loaded.logits()), copy(session.logits()));
    }
  }
}

TEST_F(SessionFileTest, AModelWithoutIndexerHasSessionsToo) {
  const auto engine = tiny(absorbed_options(), "v3-tiny-bf16");
  Session session(engine), loaded(engine);
  session.prefill(some_tokens(70, 1));
  session.save(path_);
  loaded.load(path_);
  session.decode(3);
  loaded.decode(3);
  EXPECT_EQ(copy(loaded.logits()), copy(session.logits()));
}

TEST_F(SessionFileTest, ForgetsWhatWasTruncated) {
  const formats::ModelConfig config =
      formats::Checkpoint::open(model::golden_checkpoint("v32-tiny-fp8"))->config();
  runtime::ThreadTeam team(2);
  SessionState state{some_tokens(20, 1), std::vector<float>(160), model::KvCache(config, {})};
  state.cache.reserve(0, 100);
  fill_cache(config, state.cache, 0, 100, team);  // 80 tokens more than there are
  write_session(path_, "m", state, team);
  const SessionState read = read_session(path_, "m", {config, {}, 100}, team);
  std::vector<std::byte> expected(state.cache.layer_bytes());
  state.cache.copy_layer(0, 2, 20, expected.data());
  EXPECT_TRUE(std::ranges::equal(read.cache.layer(0, 2), expected));
}

TEST_F(SessionFileTest, OnlyTheOwnerMayReadIt) {
  Session session(tiny(absorbed_options()));
  session.save(path_);
  EXPECT_EQ(std::filesystem::status(path_).permissions(), std::filesystem::perms(0600));
}

TEST_F(SessionFileTest, AnUnwritablePlaceIsSaid) {
  Session session(tiny(absorbed_options()));
  EXPECT_THROW(session.save(dir_.path() / "none" / "a.session"), formats::WriteError);
  EXPECT_THROW(session.save(dir_.path()), formats::WriteError);
}

/// A saved session as bytes, to be broken.
class BrokenSessionTest : public SessionFileTest {
 protected:
  BrokenSessionTest() {
    session_.prefill(some_tokens(270, 1));
    session_.save(path_);
    bytes_ = formats::read_text_file(path_);
    formats::FileHeaderBytes raw{};
    std::memcpy(raw.data(), bytes_.data(), raw.size());
    header_ = formats::decode_header(kKind, raw, "x");
    session_.truncate(0);
    session_.prefill(some_tokens(5, 3));
  }

  /// What loading these bytes says; whatever it is, the session stays as it was.
  std::string refusal_of_bytes(const std::string& bytes) {
    const auto file = dir_.write("broken.session", bytes);
    const std::vector<float> before = copy(session_.logits());
    const std::string refusal = refusal_of([&] { session_.load(file); });
    if (!refusal.empty()) {
      EXPECT_TRUE(std::ranges::equal(session_.tokens(), some_tokens(5, 3)));
      EXPECT_EQ(copy(session_.logits()), before);
      EXPECT_THAT(refusal, HasSubstr("broken.session"));
    }
    return refusal;
  }

  /// With an index whose checksum is right after `edit`.
  std::string refusal_after_index(const std::function<void(Json&)>& edit) {
    Json index = formats::parse_json(bytes_.substr(header_.index_offset), "index");
    edit(index);
    const std::string json = index.dump();
    formats::FileHeader header = header_;
    header.index_bytes = json.size();
    header.file_bytes = header.index_offset + json.size();
    header.index_checksum = formats::checksum(json);
    std::string bytes = bytes_.substr(0, header.index_offset) + json;
    const formats::FileHeaderBytes raw = formats::encode_header(kKind, header);
    std::memcpy(bytes.data(), raw.data(), raw.size());
    return refusal_of_bytes(bytes);
  }

  const std::shared_ptr<const Engine> engine_ = tiny(absorbed_options());
  Session session_{engine_};
  std::string bytes_;
  formats::FileHeader header_;
};

TEST_F(BrokenSessionTest, EveryTruncationIsRefused) {
  const std::size_t index = header_.index_offset;
  for (std::size_t size = 0; size < bytes_.size();
       size += size < 70 || (size > index - 3 && size < index + 3) ? 1 : 6007) {
    EXPECT_NE(refusal_of_bytes(bytes_.substr(0, size)), "") << size;
  }
  EXPECT_THAT(refusal_of_bytes(bytes_.substr(0, index - 1)), HasSubstr("cut off"));
  EXPECT_THAT(refusal_of_bytes(bytes_ + "x"), HasSubstr("too long"));
}

TEST_F(BrokenSessionTest, EveryFlippedBitIsRefused) {
  const auto flipped = [&](std::size_t at, int bit) {
    std::string bytes = bytes_;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
    return refusal_of_bytes(bytes);
  };
  for (std::size_t at = 0; at < formats::kFileHeaderBytes; ++at) {
    for (int bit = 0; bit < 8; ++bit) EXPECT_NE(flipped(at, bit), "") << at << " " << bit;
  }
  for (std::size_t at = formats::kFileHeaderBytes; at < bytes_.size(); at += 1009) {
    EXPECT_NE(flipped(at, static_cast<int>(at % 8)), "") << at;
  }
  for (std::size_t at = header_.index_offset; at < bytes_.size(); at += 101) {
    EXPECT_NE(flipped(at, static_cast<int>(at % 8)), "") << at;
  }
  EXPECT_EQ(refusal_of_bytes(bytes_), "");  // and as it was it is read
}

TEST_F(BrokenSessionTest, ForeignFilesAreRefused) {
  EXPECT_THAT(refusal_of_bytes(std::string(500, 'a')), HasSubstr("is not a leyden session"));
  std::string newer = bytes_;
  newer[8] = 2;
  EXPECT_THAT(refusal_of_bytes(newer), HasSubstr("is a leyden session of version 2"));

  const auto refusal = [&](const EngineOptions& options, const std::string& name = "v32-tiny-fp8") {
    Session other(tiny(options, name));
    return refusal_of([&] { other.load(path_); });
  };
  EXPECT_THAT(refusal(absorbed_options(), "v32-tiny-bf16"), HasSubstr("another model or recipe"));
  EngineOptions options = absorbed_options();
  options.weights = "int4";
  EXPECT_THAT(refusal(options), HasSubstr("another model or recipe"));
  options = absorbed_options();
  options.kv_cache = KvCacheFormat::kInt8;
  EXPECT_THAT(refusal(options), HasSubstr("another --kv-cache"));
  options = absorbed_options();
  options.index_cache = IndexCacheFormat::kBf16;
  EXPECT_THAT(refusal(options), HasSubstr("another --index-cache"));
  options = absorbed_options();
  options.context = 269;
  EXPECT_THAT(refusal(options), HasSubstr("has 270 tokens, but the context holds 269"));
}

TEST_F(BrokenSessionTest, IndexesThatLieAreRefused) {
  const auto with = [&](const std::string& field, const Json& value) {
    return refusal_after_index([&](Json& index) { index[field] = value; });
  };
  const auto with_frame = [&](std::size_t frame, std::size_t entry, const Json& value) {
    return refusal_after_index([&](Json& index) { index["frames"][frame][entry] = value; });
  };
  EXPECT_NE(with("model", 7), "");
  EXPECT_NE(with("tokens", Json::array({160})), "");
  EXPECT_NE(with("tokens", Json::array({-1})), "");
  EXPECT_NE(with("tokens", "all"), "");
  EXPECT_THAT(with("tokens", std::vector<int>(513, 1)), HasSubstr("7 entries, expected 10"));
  EXPECT_THAT(with("frames", Json::array()), HasSubstr("0 entries, expected 7"));
  EXPECT_NE(with_frame(2, 0, header_.index_offset + 1), "");
  EXPECT_NE(with_frame(2, 0, std::uint64_t{1} << 63), "");
  EXPECT_NE(with_frame(2, 1, header_.index_offset), "");
  EXPECT_NE(with_frame(2, 1, -5), "");
  EXPECT_NE(with_frame(2, 1, 0), "");
  EXPECT_NE(with_frame(2, 2, "00"), "");
  EXPECT_NE(refusal_after_index([](Json& index) { index["frames"][3] = 1; }), "");
  EXPECT_NE(refusal_after_index([](Json& index) { index["frames"][3] = index["frames"][0]; }), "");
  EXPECT_NE(refusal_after_index([](Json& index) { index = 1; }), "");
  // checksums that fit, of what isn't zstd and of too much of it
  const auto with_part = [&](std::size_t frame, std::size_t n_bytes) {
    const auto part = std::string_view(bytes_).substr(100, n_bytes);
    return refusal_after_index([&](Json& index) {
      index["frames"][frame] = {100, n_bytes, formats::to_hex(formats::checksum(part))};
    });
  };
  EXPECT_THAT(with_part(1, 50), HasSubstr("compressed by zstd"));
  EXPECT_THAT(with_part(0, 2000), HasSubstr("too many for 640"));
}

TEST(SessionFork, GoesOnBySeparateWays) {
  const auto engine = tiny(absorbed_options());
  Session session(engine);
  session.prefill(some_tokens(300, 1));
  Session twin = session.fork(), prefix = session.fork();
  EXPECT_EQ(copy(twin.logits()), copy(session.logits()));
  prefix.truncate(100);
  session.prefill(some_tokens(40, 2));
  twin.prefill(some_tokens(40, 3));
  prefix.prefill(some_tokens(200, 4));
  for (Session* each : {&session, &twin, &prefix}) each->prefill(some_tokens(2, 5));

  const auto alone = [&](int n, int rest, int seed) {
    Session fresh(engine);
    std::vector<std::int32_t> tokens = some_tokens(300, 1);
    tokens.resize(static_cast<std::size_t>(n));
    const auto more = some_tokens(rest, seed);
    tokens.insert(tokens.end(), more.begin(), more.end());
    const auto last = some_tokens(2, 5);
    tokens.insert(tokens.end(), last.begin(), last.end());
    fresh.prefill(tokens);
    return copy(fresh.logits());
  };
  EXPECT_EQ(copy(session.logits()), alone(300, 40, 2));
  EXPECT_EQ(copy(twin.logits()), alone(300, 40, 3));
  EXPECT_EQ(copy(prefix.logits()), alone(100, 200, 4));
}

}  // namespace
}  // namespace leyden
