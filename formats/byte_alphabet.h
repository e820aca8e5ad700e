#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace leyden::formats {

/// The spelling of byte-level vocabularies since GPT-2: every byte is one printable character.
/// Bytes 33..126, 161..172 and 174..255 stand for themselves as code points; the other 68, in
/// ascending order, are U+0100 and following ("Ġ" is the space, "Ċ" the line feed).
std::string spell_bytes(std::string_view bytes);

/// Undoes spell_bytes(); nothing if `spelling` has a character outside the alphabet.
std::optional<std::string> unspell_bytes(std::string_view spelling);

}  // namespace leyden::formats
