#include "src/calibrate.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "formats/model_config.h"
#include "formats/output_file.h"
#include "tools/commands.h"
#include "tools/documents.h"
#include "tools/model_options.h"
#include "tools/option_checks.h"
#include "tools/terminal.h"
#include "tools/token_list.h"

namespace leyden::tools {
namespace {

struct CalibrateOptions {
  ModelOptions model;
  std::string text, out;
  int document_tokens = 2048;
};

void run_calibrate(const CalibrateOptions& options) {
  std::vector<std::filesystem::path> inputs = files_of(options.model);
  inputs.emplace_back(options.text);
  formats::spare_inputs(options.out, inputs);
  formats::check_writable(options.out);
  const bool is_text = !options.text.ends_with(".json");
  const std::string text = is_text ? read_utf8_file(options.text) : "";
  Documents documents = is_text ? Documents() : read_documents(options.text);
  const auto is_empty = [](const auto& tokens) { return tokens.empty(); };
  if (text.empty() && std::ranges::all_of(documents, is_empty)) {
    throw std::runtime_error(options.text + ": there is no text in it");
  }
  const formats::ModelConfig config = config_of(options.model);
  const std::int64_t context = context_of(options.model, config);
  for (const auto& document : documents) {
    require_in_vocabulary(document, config.vocab_size, options.text);
  }
  require_room(context, documents);
  const auto engine = load_engine(options.model);
  const auto longest = static_cast<int>(std::min<std::int64_t>(options.document_tokens, context));
  if (is_text) documents = cut_text(*engine, text, longest);
  std::size_t n_tokens = 0;
  for (const auto& document : documents) n_tokens += document.size();
  ProgressLine line("calibrating", ProgressLine::Unit::kTokens);
  const Calibration calibration =
      calibrate(engine, documents,
                [&line](std::uint64_t done, std::uint64_t total) { line.update(done, total); });
  line.clear();
  calibration.save(options.out);
  fmt::print("{}: {} tensors, {} tokens in {} documents\n", options.out,
             calibration.tensors().size(), n_tokens, documents.size());
  for (const auto& [name, n] : calibration.unreached()) {
    fmt::print(
        "{}: no token reached {} of {} experts; they will be rounded by the average of the "
        "others\n",
        name, n, calibration.tensors().at(name).count);
  }
}

}  // namespace

void add_calibrate(CLI::App& app, int&) {
  auto* const command = app.add_subcommand(
      "calibrate", "Record which columns of the weights matter, for 'convert --calibration'");
  const auto options = std::make_shared<CalibrateOptions>();
  command
      ->add_option("--text", options->text,
                   "What to run the model over: a text, or token ids as 'eval --perplexity' takes "
                   "them (.json)")
      ->type_name("FILE")
      ->check(a_path())
      ->required();
  command->add_option("-o,--out", options->out, "File to write")
      ->type_name("FILE")
      ->check(a_path())
      ->required();
  command
      ->add_option("--document-tokens", options->document_tokens,
                   "A text is cut into documents of so many tokens")
      ->type_name("N")
      ->check(between(2, 1 << 20))
      ->capture_default_str();
  add_model_options(*command, options->model);
  command->callback([options] { run_calibrate(*options); });
}

}  // namespace leyden::tools
