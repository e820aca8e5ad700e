#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "src/engine.h"
#include "src/model/attention.h"
#include "src/model/loaded_model.h"
#include "src/runtime/thread_team.h"
#include "src/text/chat_format.h"
#include "src/text/generation_config.h"
#include "src/text/tokenizer.h"

namespace leyden::model {
class Forward;
}

namespace leyden {

struct Engine::Impl {
  EngineOptions options;
  std::unique_ptr<runtime::ThreadTeam> team;
  std::shared_ptr<const model::LoadedModel> model;  // shared by engines of other options
  std::optional<text::Tokenizer> tokenizer;
  text::ChatFormat chat_format = text::ChatFormat::kV3;
  text::GenerationConfig generation;
  std::vector<std::string> warnings;
  /// The pass through the model, with its buffers, that all sessions there are share: made for the
  /// first, gone with the last. Errors: std::bad_alloc.
  std::shared_ptr<model::Forward> forward() const;
  mutable std::mutex making;  // of it
  mutable std::weak_ptr<model::Forward> made;
  mutable std::mutex turn;  // sessions compute one at a time: they share the team and the buffers
  mutable bool cache_is_misplaced = false;  // options.warn has heard of it; guarded by `turn`
};

/// What the options choose.
model::Attention::Settings attention_settings(const EngineOptions& options);

}  // namespace leyden
