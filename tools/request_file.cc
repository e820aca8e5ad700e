#include "tools/request_file.h"

#include "formats/json.h"
#include "formats/json_field.h"

namespace leyden::tools {

using formats::Json;
using formats::JsonField;

std::vector<text::Message> read_messages(const std::string& file) {
  const Json document = formats::read_json_file(file);
  const JsonField root(document, file);
  const JsonField list = document.is_array() ? root : root.at("messages");
  text::check_roles(list);
  std::vector<text::Message> messages = text::messages_from_json(list);
  if (messages.empty()) list.refuse("at least one message");
  if (!document.is_array()) {
    if (const auto tools = root.find("tools")) text::attach_tools(*tools, messages);
  }
  return messages;
}

void offer_tools(const std::string& file, std::vector<text::Message>& messages) {
  const Json document = formats::read_json_file(file);
  const JsonField root(document, file);
  text::attach_tools(document.is_array() ? root : root.at("tools"), messages);
}

}  // namespace leyden::tools
