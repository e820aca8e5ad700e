#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "formats/json.h"
#include "formats/json_field.h"
#include "formats/load_error.h"
#include "formats/tokenizer_file.h"
#include "formats/utf8.h"
#include "src/text/tokenizer.h"
#include "tools/commands.h"
#include "tools/demo_model.h"
#include "tools/json_lines.h"
#include "tools/model_tokenizer.h"
#include "tools/option_checks.h"

namespace leyden::tools {
namespace {

using formats::Json;
using formats::JsonField;
using text::TokenId;
using text::Tokenizer;

struct TokenizeOptions {
  std::string model, tokenizer_file, json_lines;
  bool decode = false;
  bool special = false;
};

Tokenizer load_tokenizer(const TokenizeOptions& options) {
  if (!options.tokenizer_file.empty()) {
    return Tokenizer(formats::read_tokenizer_file(options.tokenizer_file));
  }
  if (options.model.empty()) return load_model_tokenizer(find_demo_model());
  return load_model_tokenizer(options.model);
}

std::vector<TokenId> encode(const Tokenizer& tokenizer, const std::string& text, bool special) {
  return special ? tokenizer.encode_trusted(text) : tokenizer.encode_text(text);
}

std::string decode(const Tokenizer& tokenizer, const JsonField& ids) {
  std::vector<TokenId> tokens;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const JsonField id = ids.element(i);
    const auto token = static_cast<TokenId>(id.as_integer(0, std::numeric_limits<TokenId>::max()));
    if (!tokenizer.has_token(token)) id.refuse("the id of a token");
    tokens.push_back(token);
  }
  return formats::utf8_replace_invalid(tokenizer.decode(tokens));
}

// The line's document with "ids", or "text", put in.
Json answer(const Tokenizer& tokenizer, const TokenizeOptions& options, const JsonField& line) {
  Json reply = line.value();
  if (options.decode) {
    reply["text"] = decode(tokenizer, line.at("ids"));
  } else {
    reply["ids"] = encode(tokenizer, line.string("text"), options.special);
  }
  return reply;
}

/// From where it stands to its end: /dev/stdin would begin a file anew, and open no socket.
std::string read_standard_input(const std::string& origin) {
  constexpr std::size_t kMost = formats::JsonLimits{}.max_bytes;
  std::string input;
  std::array<char, std::size_t{1} << 16> piece;
  while (const std::size_t n = std::fread(piece.data(), 1, piece.size(), stdin)) {
    if (input.size() + n > kMost) {
      throw formats::LoadError(origin, fmt::format("has more than {} bytes", kMost));
    }
    input.append(piece.data(), n);
  }
  if (std::ferror(stdin) != 0) {
    throw formats::LoadError(origin, fmt::format("can't be read: {}", std::strerror(errno)));
  }
  return input;
}

void answer_standard_input(const Tokenizer& tokenizer, const TokenizeOptions& options) {
  const std::string origin = "standard input";
  const std::string input = read_standard_input(origin);
  if (!options.decode) {
    print_json_line({{"text", input}, {"ids", encode(tokenizer, input, options.special)}});
    return;
  }
  Json document = formats::parse_json(input, origin);
  if (document.is_array()) document = {{"ids", document}};
  print_json_line(answer(tokenizer, options, JsonField(document, origin)));
}

void run_tokenize(const TokenizeOptions& options, int& exit_code) {
  const Tokenizer tokenizer = load_tokenizer(options);
  if (options.json_lines.empty()) {
    answer_standard_input(tokenizer, options);
    return;
  }
  const int errors = answer_json_lines(
      options.json_lines, [&](const JsonField& line) { return answer(tokenizer, options, line); });
  if (errors > 0) exit_code = 1;
}

}  // namespace

void add_tokenize(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<TokenizeOptions>();
  CLI::App* command = app.add_subcommand("tokenize", "Turn text into token ids, or ids into text");
  CLI::Option* model =
      command
          ->add_option("-m,--model", options->model,
                       "Container, checkpoint directory or GGUF file (default: the demo model)")
          ->type_name("PATH")
          ->check(a_path());
  command->add_option("--tokenizer", options->tokenizer_file, "A tokenizer.json instead of a model")
      ->type_name("FILE")
      ->check(a_path())
      ->excludes(model);
  command
      ->add_option("--jsonl", options->json_lines,
                   "File of lines {\"text\": ...}, answered by the same with \"ids\"; - is "
                   "standard input. Without it standard input is one text")
      ->type_name("FILE")
      ->check(a_path());
  command->add_flag("--decode", options->decode, "The other way: \"ids\" in, \"text\" out");
  command->add_flag("--special", options->special,
                    "Recognize control tokens such as <think> in the text");
  command->footer("A line that can't be answered gives {\"error\": ...}, and exit status 1.");
  command->callback([options, &exit_code] { run_tokenize(*options, exit_code); });
}

}  // namespace leyden::tools
