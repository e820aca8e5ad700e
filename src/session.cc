#include "src/session.h"

#include <algorithm>
#include <stdexcept>

#include "src/engine_impl.h"
#include "src/model/cost.h"
#include "src/model/forward.h"
#include "src/model/synthetic.h"
#include "src/placement_proof.h"
#include "src/session_file.h"

namespace leyden {

struct Session::Impl {
  explicit Impl(std::shared_ptr<const Engine> the_engine)
      : engine(std::move(the_engine)),
        shared(engine->impl()),
        state{{},
              std::vector<float>(static_cast<std::size_t>(shared.model->config.vocab_size)),
              model::KvCache(shared.model->config, attention_settings(shared.options).cache,
                             shared.team->crew().nodes_to_share())},
        forward(shared.forward()) {
    state.tokens.reserve(static_cast<std::size_t>(shared.options.context));
  }

  SessionStatus append(std::span<const std::int32_t> tokens, const PrefillProgress& progress,
                       float* all_logits, model::Trace* trace);
  void check(std::span<const std::int32_t> tokens) const;
  /// Those of a token that is gone must neither pass for the last one's nor reach a file.
  void forget_logits() { std::ranges::fill(state.logits, 0.0f); }
  std::int32_t position() const { return static_cast<std::int32_t>(state.tokens.size()); }
  bool has_room(std::int32_t n) const { return n <= shared.options.context - position(); }
  /// Makes room for n more tokens, so that adding them allocates nothing.
  void reserve(std::int32_t n) { state.cache.reserve(position(), position() + n); }
  void prove_new_pages();
  /// Gives back what was promised to tokens that nobody will write.
  struct Promise {
    Impl& session;
    ~Promise() { session.state.cache.truncate(session.position()); }
  };

  std::shared_ptr<const Engine> engine;
  const Engine::Impl& shared;
  SessionState state;  // its tokens have the room of the whole context, and never move
  std::shared_ptr<model::Forward> forward;
  model::Profile profile;
  int proven_pages = 0;  // of the cache
};

/// Asks where the pages lie that the last tokens were the first to touch. The caller has the turn.
void Session::Impl::prove_new_pages() {
  if (shared.cache_is_misplaced || !shared.options.warn || proven_pages == state.cache.n_pages()) {
    return;
  }
  for (const PlacementProof& node : prove_cache(state.cache, proven_pages)) {
    if (node.reason.empty()) continue;
    shared.cache_is_misplaced = true;
    shared.options.warn(warning(node, "cache's pages"));
    break;
  }
  proven_pages = state.cache.n_pages();
}

void Session::Impl::check(std::span<const std::int32_t> tokens) const {
  if (tokens.empty()) throw std::invalid_argument("no tokens to append");
  const std::int32_t vocab = shared.model->config.vocab_size;
  for (const std::int32_t token : tokens) {
    if (token >= 0 && token < vocab) continue;
    throw std::out_of_range("token " + std::to_string(token) + " is outside the vocabulary of " +
                            std::to_string(vocab));
  }
}

SessionStatus Session::Impl::append(std::span<const std::int32_t> tokens,
                                    const PrefillProgress& progress, float* all_logits,
                                    model::Trace* trace) {
  check(tokens);
  const auto total =
      static_cast<std::int32_t>(std::min<std::size_t>(tokens.size(), std::size_t{1} << 30));
  if (!has_room(total)) return SessionStatus::kContextFull;

  const std::lock_guard lock(shared.turn);
  reserve(total);  // in turn: what is promised is written to before another session asks
  const Promise promise{*this};
  const auto bound = shared.team->bind_caller();
  std::vector<float>& logits = state.logits;
  for (std::int32_t done = 0; done < total;) {
    const std::int32_t n = std::min(forward->chunk(), total - done);
    const auto chunk = tokens.subspan(static_cast<std::size_t>(done), static_cast<std::size_t>(n));
    model::Forward::LayerProgress between_layers;
    if (progress) {
      between_layers = [&](std::size_t layers) {
        const auto all = shared.model->weights.layers.size();
        return progress(done + static_cast<int>(layers * chunk.size() / all), total);
      };
    }
    // Without all_logits only the very last token's are of interest.
    float* const to = all_logits != nullptr
                          ? all_logits + static_cast<std::size_t>(done) * logits.size()
                          : logits.data();
    const int n_logits = all_logits != nullptr ? n : done + n == total ? 1 : 0;
    if (!forward->run(chunk, position(), state.cache, n_logits, to, trace, profile,
                      between_layers)) {
      return SessionStatus::kStopped;
    }
    done += n;
    // One by one: they may be the session's own.
    for (const std::int32_t token : chunk) state.tokens.push_back(token);
    if (done < total) forget_logits();  // in case the caller stops here
    if (done < total && progress && !progress(done, total)) return SessionStatus::kStopped;
  }
  if (all_logits != nullptr) {
    const float* const last = all_logits + static_cast<std::size_t>(total - 1) * logits.size();
    std::copy_n(last, logits.size(), logits.begin());
  }
  prove_new_pages();
  return SessionStatus::kOk;
}

Session::Session(std::shared_ptr<const Engine> engine)
    : impl_(std::make_unique<Impl>(std::move(engine))) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

SessionStatus Session::prefill(std::span<const std::int32_t> tokens,
                               const PrefillProgress& progress) {
  return impl_->append(tokens, progress, nullptr, nullptr);
}

SessionStatus Session::prefill_traced(std::span<const std::int32_t> tokens,
                                      std::span<float> all_logits, model::Trace* trace) {
  if (all_logits.size() != tokens.size() * impl_->state.logits.size()) {
    throw std::invalid_argument("all_logits must hold tokens x vocab_size floats");
  }
  return impl_->append(tokens, {}, all_logits.data(), trace);
}

std::span<const float> Session::logits() const { return impl_->state.logits; }
std::int32_t Session::position() const { return impl_->position(); }
std::span<const std::int32_t> Session::tokens() const { return impl_->state.tokens; }

std::int32_t Session::capacity() const {
  return static_cast<std::int32_t>(impl_->shared.options.context);
}

std::size_t Session::cache_bytes() const {
  return static_cast<std::size_t>(position()) * impl_->state.cache.bytes_per_token();
}

void Session::truncate(std::int32_t position) {
  if (position < 0 || position > impl_->position()) {
    throw std::out_of_range("can't truncate " + std::to_string(impl_->position()) + " tokens to " +
                            std::to_string(position));
  }
  if (position == impl_->position()) return;
  impl_->state.tokens.resize(static_cast<std::size_t>(position));
  impl_->state.cache.truncate(position);
  impl_->proven_pages = std::min(impl_->proven_pages, impl_->state.cache.n_pages());
  impl_->forget_logits();
}

Session Session::fork() const {
  Session twin(impl_->engine);
  twin.impl_->state = impl_->state;
  twin.impl_->proven_pages = impl_->proven_pages;
  return twin;
}

void Session::save(const std::filesystem::path& path) const {
  const std::lock_guard lock(impl_->shared.turn);
  write_session(path, impl_->engine->fingerprint(), impl_->state, *impl_->shared.team);
}

void Session::load(const std::filesystem::path& path) {
  const Engine::Impl& shared = impl_->shared;
  const std::lock_guard lock(shared.turn);
  SessionState read = read_session(
      path, impl_->engine->fingerprint(),
      {shared.model->config, attention_settings(shared.options).cache, capacity()}, *shared.team);
  read.tokens.reserve(static_cast<std::size_t>(capacity()));
  impl_->state = std::move(read);
  impl_->proven_pages = 0;
  impl_->prove_new_pages();
}

const Engine& Session::engine() const { return *impl_->engine; }

SessionStatus Session::append_noise(std::int32_t n) {
  if (!impl_->has_room(n)) return SessionStatus::kContextFull;
  const std::lock_guard lock(impl_->shared.turn);
  impl_->reserve(n);
  const auto bound = impl_->shared.team->bind_caller();
  const std::int32_t begin = position();
  model::fill_cache(impl_->shared.model->config, impl_->state.cache, begin, begin + n,
                    *impl_->shared.team);
  impl_->state.tokens.resize(static_cast<std::size_t>(begin + n));
  impl_->prove_new_pages();
  return SessionStatus::kOk;
}

model::Profile& Session::profile() { return impl_->profile; }

model::TokenCost Session::decode_cost() const {
  return model::decode_cost(
      impl_->shared.model->config, impl_->shared.model->weights, impl_->state.cache,
      impl_->shared.options.attention != AttentionChoice::kDense, impl_->position());
}

const model::KvCache& Session::cache() const { return impl_->state.cache; }

}  // namespace leyden
