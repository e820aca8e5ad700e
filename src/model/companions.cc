#include "formats/json.h"
#include "src/model/loaded_model.h"

namespace leyden::model {

void adopt_companions(LoadedModel& loaded,
                      const std::function<std::optional<std::string>(std::string_view)>& read) {
  loaded.tokenizer_json = read("tokenizer.json");
  loaded.generation_config = read("generation_config.json");
  loaded.has_chat_template = read("chat_template.jinja").has_value();
  const std::optional<std::string> tokenizer_config = read("tokenizer_config.json");
  if (!tokenizer_config) return;
  const formats::Json json =
      formats::parse_json(*tokenizer_config, loaded.source + ": tokenizer_config.json");
  loaded.has_chat_template |= json.is_object() && json.contains("chat_template");
}

}  // namespace leyden::model
