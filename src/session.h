#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>

#include "src/engine.h"

namespace leyden::model {
struct Trace;
struct TokenCost;
class Profile;
class KvCache;
}  // namespace leyden::model

namespace leyden {

/// What became of a request; nothing here is an error of the program.
enum class SessionStatus {
  kOk,
  kContextFull,  // the tokens don't fit; nothing was computed
  kStopped,      // the caller's progress function said so; the chunks that were done stay
};

/// One conversation with a model: its KV cache and position. Not for several threads at once. The
/// buffers that it computes with are shared by all sessions of the engine, which take turns.
class Session {
 public:
  /// Called between chunks of a prompt, and between the layers of a chunk, with how many tokens'
  /// work is done and how many there are; false stops the prefill. It must not compute with, save
  /// or load a session of the same engine, which would wait for this prefill to end.
  using PrefillProgress = std::function<bool(int done, int total)>;

  /// Throws std::bad_alloc when the buffers don't fit, which the engine's first session makes.
  explicit Session(std::shared_ptr<const Engine> engine);
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  /// Appends tokens to the context; afterwards logits() are those of the last one.
  /// tokens: each in [0, vocab_size), at least one.
  /// Errors, with nothing changed: std::runtime_error if there is no memory for the cache,
  /// std::bad_alloc. What `progress` throws ends the prefill as its false does.
  SessionStatus prefill(std::span<const std::int32_t> tokens, const PrefillProgress& progress = {});

  /// Appends one token. The same as prefill of one.
  SessionStatus decode(std::int32_t token) { return prefill({&token, 1}); }

  /// As prefill, but keeps the logits of every token: all_logits [tokens, vocab_size]; trace: which
  /// experts and positions were chosen, or null.
  SessionStatus prefill_traced(std::span<const std::int32_t> tokens, std::span<float> all_logits,
                               model::Trace* trace);

  /// Logits of the last token [vocab_size], valid until the next call. Zeros where it has none:
  /// before the first token, after truncate() has taken tokens away, and after a prefill that was
  /// stopped behind a chunk.
  std::span<const float> logits() const;

  /// Tokens in the context: how many, and which (valid until the next call, to which they may be
  /// given).
  std::int32_t position() const;
  std::span<const std::int32_t> tokens() const;
  /// Tokens the context may hold.
  std::int32_t capacity() const;
  /// What the cache keeps of them.
  std::size_t cache_bytes() const;
  /// Forgets all tokens from `position` on, and their logits; their part of the cache is given
  /// back.
  void truncate(std::int32_t position);

  /// A session that goes on from here by itself, with the same logits. The cache is shared page by
  /// page until one of the two writes to a page; only that page is then copied.
  Session fork() const;

  /// Keeps tokens, cache and logits in a file, and goes on from one (docs/sessions.md): the results
  /// have the bits they would have had without. load() puts the file's tokens in the place of the
  /// session's own; after an error they stay.
  /// Errors: formats::WriteError; formats::LoadError for a damaged file, one of another model,
  ///         recipe or cache format, and one that the context has no room for.
  void save(const std::filesystem::path& path) const;
  void load(const std::filesystem::path& path);

  const Engine& engine() const;

  /// For benchmarks: appends n tokens by filling their cache rows with noise, which costs nothing
  /// of a prefill; where the time of the calls since the last reset of the profile has gone; and
  /// what the next token must read and multiply at least.
  SessionStatus append_noise(std::int32_t n);
  model::Profile& profile();
  model::TokenCost decode_cost() const;
  /// For checks of where it lies.
  const model::KvCache& cache() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace leyden
