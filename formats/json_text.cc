#include "formats/json_text.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <iterator>
#include <utility>

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

/// Writes values on one line, or each member and element on a line of its own.
class Writer {
 public:
  explicit Writer(bool lines) : lines_(lines) {}

  void value(const Json& value) {
    switch (value.type()) {
      case Json::value_t::object:
        open('{');
        for (const auto& [name, member] : value.get_ref<const Json::object_t&>()) {
          next();
          append_quoted(name, out_);
          out_ += ": ";
          this->value(member);
        }
        close('}');
        break;
      case Json::value_t::array:
        open('[');
        for (const Json& element : value) {
          next();
          this->value(element);
        }
        close(']');
        break;
      case Json::value_t::string:
        append_quoted(value.get_ref<const std::string&>(), out_);
        break;
      case Json::value_t::boolean:
        out_ += value.get<bool>() ? "true" : "false";
        break;
      case Json::value_t::number_integer:
        out_ += std::to_string(value.get<std::int64_t>());
        break;
      case Json::value_t::number_unsigned:
        out_ += std::to_string(value.get<std::uint64_t>());
        break;
      case Json::value_t::number_float:
        out_ += float_text(value.get<double>());
        break;
      case Json::value_t::binary:
        out_ += big_integer_text(value);
        break;
      case Json::value_t::null:
      case Json::value_t::discarded:
        out_ += "null";
        break;
    }
  }

  std::string take() { return std::move(out_); }

 private:
  void open(char bracket) {
    out_ += bracket;
    ++depth_;
    empty_ = true;
  }
  void next() {
    if (!empty_) out_ += lines_ ? "," : ", ";
    if (lines_) out_.append(1, '\n').append(depth_, ' ');
    empty_ = false;
  }
  void close(char bracket) {
    --depth_;
    if (lines_ && !empty_) out_.append(1, '\n').append(depth_, ' ');
    out_ += bracket;
    empty_ = false;  // what holds this one isn't
  }

  const bool lines_;
  std::string out_;
  std::size_t depth_ = 0;
  bool empty_ = true;  // the innermost open object or list, so far
};

}  // namespace

std::string json_text(const Json& value) {
  Writer writer(/*lines=*/false);
  writer.value(value);
  return writer.take();
}

std::string json_lines_text(const Json& value) {
  Writer writer(/*lines=*/true);
  writer.value(value);
  return writer.take();
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
