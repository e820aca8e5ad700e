#include "tools/visible_text.h"

#include <cwchar>

#include "formats/utf8.h"
#include "tools/repl/key_source.h"

namespace leyden::tools {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

int columns_of_character(std::string_view character) {
  wchar_t wide = 0;
  std::mbstate_t state = {};
  const std::size_t n = std::mbrtowc(&wide, character.data(), character.size(), &state);
  if (n == 0 || n > character.size()) return 1;
  return std::max(0, ::wcwidth(wide));
}

/// Calls use(character) for each character of well-formed text, until it returns false.
template <class Use>
void for_each_character(std::string_view text, const Use& use) {
  while (!text.empty()) {
    const std::size_t n = std::max<std::size_t>(1, formats::utf8_sequence_length(text));
    if (!use(text.substr(0, n))) return;
    text.remove_prefix(n);
  }
}

}  // namespace

std::string visible(std::string_view text) {
  const std::string whole = formats::utf8_replace_invalid(text);
  std::string out;
  out.reserve(whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const auto byte = static_cast<unsigned char>(whole[i]);
    const auto after = static_cast<unsigned char>(i + 1 < whole.size() ? whole[i + 1] : '\0');
    if (byte == '\r' && after == '\n') continue;
    if (byte == 0x7F) {
      out += to_utf8(0x2421);
    } else if (byte < 0x20 && byte != '\n' && byte != '\t') {
      out += to_utf8(0x2400u + byte);
    } else if (byte == 0xC2 && after < 0xA0) {  // U+0080 to U+009F
      out += kReplacement;
      ++i;
    } else {
      out.push_back(whole[i]);
    }
  }
  return out;
}

int columns_of(std::string_view text) {
  int columns = 0;
  for_each_character(text, [&](std::string_view character) {
    columns += columns_of_character(character);
    return true;
  });
  return columns;
}

std::string excerpt(std::string_view text, int max_columns) {
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos) return "";
  const std::string_view first = text.substr(start, text.find_first_of("\r\n", start) - start);
  const std::string line = visible(first);
  const bool more = text.find_first_not_of(" \t\r\n", start + first.size()) != text.npos;
  if (!more && columns_of(line) <= max_columns) return line;
  std::string out;
  int columns = 1;  // of the ellipsis
  for_each_character(line, [&](std::string_view character) {
    columns += columns_of_character(character);
    if (columns > max_columns) return false;
    out += character;
    return true;
  });
  return out + "…";
}

}  // namespace leyden::tools
