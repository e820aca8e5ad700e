#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "formats/json.h"
#include "formats/json_field.h"
#include "formats/load_error.h"
#include "src/evaluate.h"
#include "tools/bounded_line.h"
#include "tools/commands.h"
#include "tools/documents.h"
#include "tools/json_output.h"
#include "tools/model_options.h"
#include "tools/option_checks.h"
#include "tools/terminal.h"
#include "tools/token_list.h"
#include "tools/visible_text.h"

namespace leyden::tools {
namespace {

struct EvalOptions {
  ModelOptions model;
  std::string perplexity, questions, kl, routing_stats, json_file;
};

/// What all questions together are called, where kinds have their names.
constexpr const char* kAllKinds = "all";

/// At least one token.
std::vector<std::int32_t> some_tokens_of(const formats::JsonField& list) {
  if (list.size() == 0) list.refuse("at least one token id");
  return tokens_of(list);
}

/// JSON lines with kind, prompt_tokens and expected_tokens (models/demo/eval/items.jsonl).
std::vector<Question> read_questions(const std::string& file) {
  std::ifstream in(file);
  if (!in) throw formats::LoadError(file, "can't be read");
  std::vector<Question> questions;
  std::string line;
  for (int number = 1; read_line(in, line, file); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string origin = fmt::format("{}: line {}", file, number);
    const formats::Json document = formats::parse_json(line, origin);
    const formats::JsonField item(document, origin);
    const std::string kind = item.string_or("kind", "without kind");
    if (kind == kAllKinds) item.at("kind").refuse("another name than the total's");
    questions.push_back({origin, kind, some_tokens_of(item.at("prompt_tokens")),
                         some_tokens_of(item.at("expected_tokens"))});
  }
  if (questions.empty()) throw formats::LoadError(file, "there are no questions in it");
  return questions;
}

EvaluationProgress progress_on(ProgressLine& line) {
  return [&line](std::uint64_t done, std::uint64_t total) { line.update(done, total); };
}

void report_questions(std::FILE* text, const std::map<std::string, Score>& scores,
                      nlohmann::json& out) {
  int right = 0, asked = 0;
  fmt::print(text, "{:<22} {:>7} {:>9}\n", "questions", "right", "accuracy");
  for (const auto& [kind, score] : scores) {
    const double share = static_cast<double>(score.right) / score.asked;
    fmt::print(text, "{:<22} {:>7} {:>8.1f}%\n", excerpt(kind),
               fmt::format("{}/{}", score.right, score.asked), 100 * share);
    out["accuracy"][kind] = share;
    right += score.right;
    asked += score.asked;
  }
  const double share = static_cast<double>(right) / asked;
  fmt::print(text, "{:<22} {:>7} {:>8.1f}%\n", kAllKinds, fmt::format("{}/{}", right, asked),
             100 * share);
  out["accuracy"][kAllKinds] = share;
}

void run_eval(const EvalOptions& options) {
  // Read what is cheap to read, and likely to be mistyped, before the model.
  Documents documents;
  std::vector<Question> questions;
  if (!options.perplexity.empty()) {
    documents = read_documents(options.perplexity);
    if (std::ranges::none_of(documents, [](const auto& tokens) { return tokens.size() > 1; })) {
      throw formats::LoadError(options.perplexity,
                               "no document has two tokens, there is nothing to measure");
    }
  }
  if (!options.questions.empty()) questions = read_questions(options.questions);

  ModelOptions reference = options.model;
  reference.model = options.kl;
  std::vector<ModelOptions> models = {options.model};
  if (!options.kl.empty()) models.push_back(reference);
  check_json_target(options.json_file,
                    {options.perplexity, options.questions, options.routing_stats}, models);
  check_json_target(options.routing_stats, {options.perplexity, options.questions}, models);
  const formats::ModelConfig config = config_of(options.model);
  const std::int64_t context = context_of(options.model, config);
  const bool reads_last = !options.kl.empty() || !options.routing_stats.empty();
  require_room(context, documents, reads_last ? 0 : 1);
  require_room(context, questions);
  for (const auto& document : documents) {
    require_in_vocabulary(document, config.vocab_size, options.perplexity);
  }
  for (const Question& question : questions) {
    require_in_vocabulary(question.prompt, config.vocab_size, question.origin);
    require_in_vocabulary(question.expected, config.vocab_size, question.origin);
  }
  if (!options.kl.empty()) {
    const formats::ModelConfig other = config_of(reference);
    require_same_vocabulary(config, other);
    require_room(context_of(reference, other), documents);
  }

  const auto engine = load_engine(options.model);
  const auto other = options.kl.empty() ? nullptr : load_reference(reference);
  nlohmann::json out;
  std::FILE* const text = human_output(options.json_file);
  if (!documents.empty()) {
    ProgressLine line("perplexity", ProgressLine::Unit::kTokens);
    const Perplexity result = perplexity(engine, documents, progress_on(line));
    line.clear();
    fmt::print(text, "perplexity {:.5f} over {} tokens\n", result.value, result.n_tokens);
    out["perplexity"] = result.value;
    out["tokens"] = result.n_tokens;
  }
  if (!options.routing_stats.empty()) {
    ProgressLine line("counting experts", ProgressLine::Unit::kTokens);
    const model::ExpertCounts counts = count_experts(engine, documents, progress_on(line));
    line.clear();
    write_json(options.routing_stats, {{"experts", counts}});
  }
  if (other) {
    ProgressLine line("divergence", ProgressLine::Unit::kTokens);
    const Divergence result = divergence(engine, other, documents, progress_on(line));
    line.clear();
    fmt::print(text,
               "KL divergence from {}: mean {:.3e}, 99th percentile {:.3e}; same best token {:.2f} "
               "% of {} positions\n",
               options.kl, result.kl_mean, result.kl_p99, 100 * result.top1_agreement,
               result.n_positions);
    out["kl_mean"] = result.kl_mean;
    out["kl_p99"] = result.kl_p99;
    out["top1_agreement"] = result.top1_agreement;
  }
  if (!questions.empty()) {
    ProgressLine line("questions", ProgressLine::Unit::kTokens);
    const auto scores = answer(engine, questions, progress_on(line));
    line.clear();
    report_questions(text, scores, out);
  }
  if (!options.json_file.empty()) write_json(options.json_file, out);
}

}  // namespace

void add_eval(CLI::App& app, int&) {
  auto* const command =
      app.add_subcommand("eval", "Measure a model: perplexity, questions, divergence from another");
  const auto options = std::make_shared<EvalOptions>();
  auto* const perplexity =
      command
          ->add_option("--perplexity", options->perplexity,
                       "Token ids: {\"documents\": [[...]]}, {\"tokens\": [...]} or a list")
          ->type_name("TOKENS.json")
          ->check(a_path());
  command
      ->add_option("--questions", options->questions,
                   "Questions with prompt_tokens and expected_tokens, one a line; greedy answers "
                   "must be exact")
      ->type_name("FILE.jsonl")
      ->check(a_path());
  command
      ->add_option("--kl", options->kl,
                   "Divergence from this model on the --perplexity documents; a checkpoint runs as "
                   "f32, a container as it is")
      ->type_name("OTHER_MODEL")
      ->check(a_path())
      ->needs(perplexity);
  command
      ->add_option("--json", options->json_file,
                   "Also write the figures as JSON (- is "
                   "standard output)")
      ->type_name("FILE")
      ->check(a_path());
  add_model_options(*command, options->model);
  command->remove_option(command->get_option("--routing-stats"));
  command
      ->add_option("--routing-stats", options->routing_stats,
                   "Write how often each expert is chosen on the --perplexity documents, for "
                   "--numa whole")
      ->type_name("FILE")
      ->check(a_path())
      ->needs(perplexity);
  command->callback([options] {
    if (options->perplexity.empty() && options->questions.empty()) {
      throw CLI::RequiredError("--perplexity or --questions");
    }
    run_eval(*options);
  });
}

}  // namespace leyden::tools
