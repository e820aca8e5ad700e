#include "tools/model_tokenizer.h"

#include <optional>
#include <string>

#include "formats/checkpoint.h"
#include "formats/container_reader.h"
#include "formats/load_error.h"
#include "formats/tokenizer_file.h"

namespace leyden::tools {

text::Tokenizer load_model_tokenizer(const std::filesystem::path& model) {
  const std::string file = "tokenizer.json";
  if (std::filesystem::is_directory(model)) {
    return text::Tokenizer(formats::read_tokenizer_file(model / file));
  }
  const std::optional<std::string> contents =
      formats::is_container(model) ? formats::ContainerReader(model).blob(file)
                                   : formats::Checkpoint::open(model)->companion(file);
  if (!contents) throw formats::LoadError(model.string(), "there is no " + file + " in it");
  return text::Tokenizer(formats::parse_tokenizer_json(*contents, model.string() + ": " + file));
}

}  // namespace leyden::tools
