#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "formats/model_config.h"
#include "src/engine.h"

namespace leyden::tools {

/// The options every command that loads a model has (-m, --weights, --threads ...).
struct ModelOptions {
  std::string model;  // empty: the demo model
  EngineOptions engine;
};

/// Registers them. `options` must outlive the parse. requires_model: there is no default model.
void add_model_options(CLI::App& command, ModelOptions& options, bool requires_model = false);

/// Only those that say how to load and run (--weights, --threads ...).
void add_engine_options(CLI::App& command, EngineOptions& engine);

/// Prints a warning on standard error.
void warn(const std::string& warning);

/// Loads the model, with a progress line on standard error if that is a terminal.
std::shared_ptr<const Engine> load_engine(const ModelOptions& options);

/// What the model is, without its weights. Errors: formats::LoadError if it isn't one.
formats::ModelConfig config_of(const ModelOptions& options);

/// The tokens its context would have.
std::int64_t context_of(const ModelOptions& options, const formats::ModelConfig& config);

/// The files that load_engine() reads, for outputs that must not replace them.
/// Errors: formats::LoadError if the model isn't one.
std::vector<std::filesystem::path> files_of(const ModelOptions& options);
/// Those of them that the engine's options name.
std::vector<std::filesystem::path> files_of(const EngineOptions& options);

/// The same for a model to compare with: an original checkpoint runs in floats throughout, and
/// isn't mapped; a container as it is.
std::shared_ptr<const Engine> load_reference(ModelOptions options);

}  // namespace leyden::tools
