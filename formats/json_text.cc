#include "formats/json_text.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <iterator>

#include "formats/utf8.h"

namespace leyden::formats {
namespace {

void append_quoted(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

void append_value(const Json& value, std::string& out) {
  std::string_view separator;
  switch (value.type()) {
    case Json::value_t::object:
      out += '{';
      for (const auto& [name, member] : value.get_ref<const Json::object_t&>()) {
        out += separator;
        append_quoted(name, out);
        out += ": ";
        append_value(member, out);
        separator = ", ";
      }
      out += '}';
      break;
    case Json::value_t::array:
      out += '[';
      for (const Json& element : value) {
        out += separator;
        append_value(element, out);
        separator = ", ";
      }
      out += ']';
      break;
    case Json::value_t::string:
      append_quoted(value.get_ref<const std::string&>(), out);
      break;
    case Json::value_t::boolean:
      out += value.get<bool>() ? "true" : "false";
      break;
    case Json::value_t::number_integer:
      out += std::to_string(value.get<std::int64_t>());
      break;
    case Json::value_t::number_unsigned:
      out += std::to_string(value.get<std::uint64_t>());
      break;
    case Json::value_t::number_float:
      out += float_text(value.get<double>());
      break;
    case Json::value_t::binary:
      out += big_integer_text(value);
      break;
    case Json::value_t::null:
    case Json::value_t::discarded:
      out += "null";
      break;
  }
}

}  // namespace

std::string json_text(const Json& value) {
  std::string out;
  append_value(value, out);
  return out;
}

std::string json_quote(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  append_quoted(text, out);
  return out;
}

std::string float_text(double value) {
  if (!std::isfinite(value)) return "null";
  const double magnitude = std::fabs(value);
  const bool exponent = magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e16);
  char digits[64];
  const auto [end, error] =
      std::to_chars(digits, digits + sizeof digits, value,
                    exponent ? std::chars_format::scientific : std::chars_format::fixed);
  std::string text(digits, end);
  if (!exponent && text.find('.') == std::string::npos) text += ".0";
  return text;
}

std::string excerpt(std::string_view text, std::size_t max_bytes) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size() && out.size() < max_bytes) {
    const std::size_t length = utf8_sequence_length(text.substr(at));
    const bool readable = length > 0 && static_cast<unsigned char>(text[at]) >= 0x20;
    if (readable) {
      out += text.substr(at, length);
    } else {
      out += '?';
    }
    at += length > 0 ? length : 1;
  }
  if (at < text.size()) out += "...";
  return out;
}

}  // namespace leyden::formats
