#include "src/session.h"

#include <algorithm>
#include <stdexcept>

#include "src/engine_impl.h"
#include "src/model/cost.h"
#include "src/model/forward.h"
#include "src/model/kv_cache.h"
#include "src/model/synthetic.h"

namespace leyden {

struct Session::Impl {
  explicit Impl(std::shared_ptr<const Engine> the_engine)
      : engine(std::move(the_engine)),
        shared(engine->impl()),
        cache(shared.model->config, shared.attention_settings().cache),
        forward(shared.model->config, shared.model->weights, shared.attention_settings(),
                shared.options.prefill_chunk, *shared.team),
        logits(static_cast<std::size_t>(shared.model->config.vocab_size)) {}

  SessionStatus append(std::span<const std::int32_t> tokens, const PrefillProgress& progress,
                       float* all_logits, model::Trace* trace);
  void check(std::span<const std::int32_t> tokens) const;

  std::shared_ptr<const Engine> engine;
  const Engine::Impl& shared;
  model::KvCache cache;
  model::Forward forward;
  std::vector<float> logits;
  std::int32_t position = 0;
};

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
  if (total > shared.options.context - position) return SessionStatus::kContextFull;
  cache.reserve(position + total);

  const std::lock_guard lock(shared.turn);
  for (std::int32_t done = 0; done < total;) {
    const std::int32_t n = std::min(forward.chunk(), total - done);
    const auto chunk = tokens.subspan(static_cast<std::size_t>(done), static_cast<std::size_t>(n));
    if (all_logits != nullptr) {
      float* const to = all_logits + static_cast<std::size_t>(done) * logits.size();
      forward.run(chunk, position, cache, n, to, trace);
    } else {
      // Only the very last token's logits are of interest.
      forward.run(chunk, position, cache, done + n == total ? 1 : 0, logits.data(), trace);
    }
    done += n;
    position += n;
    if (done < total && progress && !progress(done, total)) return SessionStatus::kStopped;
  }
  if (all_logits != nullptr) {
    const float* const last = all_logits + static_cast<std::size_t>(total - 1) * logits.size();
    std::copy_n(last, logits.size(), logits.begin());
  }
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
  if (all_logits.size() != tokens.size() * impl_->logits.size()) {
    throw std::invalid_argument("all_logits must hold tokens x vocab_size floats");
  }
  return impl_->append(tokens, {}, all_logits.data(), trace);
}

std::span<const float> Session::logits() const { return impl_->logits; }
std::int32_t Session::position() const { return impl_->position; }

std::int32_t Session::capacity() const {
  return static_cast<std::int32_t>(impl_->shared.options.context);
}

void Session::truncate(std::int32_t position) {
  if (position < 0 || position > impl_->position) {
    throw std::out_of_range("can't truncate " + std::to_string(impl_->position) + " tokens to " +
                            std::to_string(position));
  }
  impl_->position = position;
}

const Engine& Session::engine() const { return *impl_->engine; }

SessionStatus Session::append_noise(std::int32_t n) {
  if (n > capacity() - impl_->position) return SessionStatus::kContextFull;
  impl_->cache.reserve(impl_->position + n);
  const std::lock_guard lock(impl_->shared.turn);
  model::fill_cache(impl_->shared.model->config, impl_->cache, impl_->position, impl_->position + n,
                    *impl_->shared.team);
  impl_->position += n;
  return SessionStatus::kOk;
}

model::Profile& Session::profile() { return impl_->forward.profile(); }

model::TokenCost Session::decode_cost() const {
  return model::decode_cost(impl_->shared.model->config, impl_->shared.model->weights, impl_->cache,
                            impl_->shared.options.attention != AttentionChoice::kDense,
                            impl_->position);
}

}  // namespace leyden
