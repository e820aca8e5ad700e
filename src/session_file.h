#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "formats/model_config.h"
#include "src/model/kv_cache.h"
#include "src/runtime/thread_team.h"

namespace leyden {

/// What a session has computed: all it needs to go on, with the same bits.
struct SessionState {
  std::vector<std::int32_t> tokens;
  std::vector<float> logits;  // [vocab_size], of the last token
  model::KvCache cache;       // of the tokens
};

/// Writes a state as docs/sessions.md describes: zstd frames, one per page and layer, compressed in
/// parallel; written aside, synced and renamed; readable for its owner only. `model` is the model's
/// fingerprint. Cache rows of tokens that were truncated don't reach the file.
/// Errors: formats::WriteError; an earlier file is then as it was.
void write_session(const std::filesystem::path& path, const std::string& model,
                   const SessionState& state, runtime::ThreadTeam& team);

/// Whether the file begins with a session's magic. False for files that can't be read.
bool is_session(const std::filesystem::path& path);

/// What sessions that a file can be read into have in common.
struct SessionShape {
  const formats::ModelConfig& config;
  model::CacheFormats formats;
  std::int32_t capacity;  // tokens
};

/// Reads it back, in parallel.
/// Errors: formats::LoadError, for a file that is none, of a newer leyden, damaged anywhere, of
///         another model or other cache formats, or with more tokens than the capacity.
SessionState read_session(const std::filesystem::path& path, const std::string& model,
                          const SessionShape& shape, runtime::ThreadTeam& team);

}  // namespace leyden
