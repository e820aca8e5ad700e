#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "formats/input_file.h"
#include "formats/json.h"
#include "formats/model_config.h"
#include "src/evaluate.h"
#include "src/model/options.h"
#include "src/session.h"
#include "tools/commands.h"
#include "tools/json_output.h"
#include "tools/model_options.h"
#include "tools/option_checks.h"
#include "tools/token_list.h"

namespace leyden::tools {
namespace {

using nlohmann::json;

struct LogitsOptions {
  ModelOptions model;
  std::string tokens, tokens_file, json_file = "-";
  int decode = 0;
  bool trace = false;
};

json trace_json(const model::Trace& trace, bool has_indexer, json& experts) {
  json topk = json::array();
  for (const model::LayerTrace& layer : trace.layers) {
    json layer_experts = json::array(), layer_topk = json::array();
    bool is_dense = true;
    for (const auto& chosen : layer.experts) {
      if (!chosen.empty()) is_dense = false;
      layer_experts.push_back(chosen);
    }
    experts.push_back(is_dense ? json() : std::move(layer_experts));
    for (const auto& chosen : layer.topk) layer_topk.push_back(chosen ? json(*chosen) : json());
    topk.push_back(has_indexer ? std::move(layer_topk) : json());
  }
  return topk;
}

void run_logits(const LogitsOptions& options) {
  const bool listed = options.tokens_file.empty();
  std::vector<std::int32_t> tokens =
      listed ? parse_token_list(options.tokens) : read_token_file(options.tokens_file);
  check_json_target(options.json_file, {options.tokens_file}, {options.model});
  const formats::ModelConfig config = config_of(options.model);
  const std::int64_t context = context_of(options.model, config);
  require_in_vocabulary(tokens, config.vocab_size, listed ? "--tokens" : options.tokens_file);
  if (static_cast<std::int64_t>(tokens.size()) + options.decode > context) {
    throw std::runtime_error(fmt::format("{} tokens and {} more don't fit a context of {}",
                                         tokens.size(), options.decode, context));
  }
  const auto engine = load_engine(options.model);
  Session session(engine);
  const auto vocab = static_cast<std::size_t>(config.vocab_size);
  model::Trace trace;
  model::Trace* const wanted_trace = options.trace ? &trace : nullptr;

  std::vector<float> logits(tokens.size() * vocab);
  session.prefill_traced(tokens, logits, wanted_trace);
  for (int i = 0; i < options.decode; ++i) {
    tokens.push_back(best_of(session.logits()));
    logits.resize(tokens.size() * vocab);
    session.prefill_traced(std::span(tokens).last(1), std::span(logits).last(vocab), wanted_trace);
  }

  json out;
  out["tokens"] = tokens;
  json rows = json::array(), argmax = json::array();
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    const auto row = std::span(logits).subspan(t * vocab, vocab);
    rows.push_back(finite_numbers(row));
    argmax.push_back(best_of(row));
  }
  out["logits"] = std::move(rows);
  out["argmax"] = std::move(argmax);
  if (options.trace) {
    out["experts"] = json::array();
    out["topk"] = trace_json(trace, config.has_indexer(), out["experts"]);
  }
  write_json(options.json_file, out);
}

}  // namespace

void add_logits(CLI::App& app, int&) {
  auto* const command = app.add_subcommand(
      "logits", "Print the logits of every position of a token sequence as JSON");
  const auto options = std::make_shared<LogitsOptions>();
  auto* const tokens =
      command->add_option("--tokens", options->tokens, "Token ids")->type_name("0,5,9");
  auto* const file = command
                         ->add_option("--tokens-file", options->tokens_file,
                                      "JSON file: {\"tokens\": [...]} or a list")
                         ->type_name("FILE")
                         ->check(a_path());
  tokens->excludes(file);
  command->add_option("--decode", options->decode, "Greedy continuations to append")
      ->type_name("N")
      ->check(at_least(0));
  command->add_flag("--trace", options->trace, "Also the chosen experts and cache positions");
  command->add_option("--json", options->json_file, "Where to write, - is standard output")
      ->type_name("FILE")
      ->check(a_path())
      ->capture_default_str();
  add_model_options(*command, options->model);
  command->callback([options, tokens, file] {
    if (tokens->empty() && file->empty()) {
      throw CLI::RequiredError("--tokens or --tokens-file");
    }
    run_logits(*options);
  });
}

}  // namespace leyden::tools
