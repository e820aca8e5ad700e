#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace leyden::formats {

/// Bytes of the well-formed UTF-8 character at the start of `text` (1 to 4), or 0 if there is none.
/// Well-formed is Unicode 15, table 3-7: no overlong forms, no surrogates, nothing past U+10FFFF.
std::size_t utf8_sequence_length(std::string_view text) noexcept;

/// Bytes at the start of `text` that are well-formed UTF-8; text.size() if all are.
std::size_t utf8_valid_prefix(std::string_view text) noexcept;

/// Whether `text` (1 to 3 bytes) could become one well-formed character by appending bytes.
bool utf8_may_continue(std::string_view text) noexcept;

/// `text` with every maximal ill-formed part replaced by U+FFFD, as the Unicode standard (3.9)
/// recommends and as Python, Rust and browsers decode with "replace".
std::string utf8_replace_invalid(std::string_view text);

}  // namespace leyden::formats
