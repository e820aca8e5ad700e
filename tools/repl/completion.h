#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace leyden::tools {

/// All words that could stand where `word` stands, of which the text before it is `before`.
/// A word that ends with '/' can be completed further.
using Completer =
    std::function<std::vector<std::string>(std::string_view before, std::string_view word)>;

/// What Tab does at the end of `text`: the letters that all candidates agree on beyond what is
/// typed, with a space after a word that is the only one, and the candidates to list if there is a
/// choice and no letter to add. The name or path after /file, /load or /save is one word, whatever
/// spaces it has.
struct Completion {
  std::string insert;
  std::vector<std::string> candidates;
};
Completion complete(std::string_view text, const Completer& completer);

/// Files and folders whose path begins with `word`, folders with a slash at the end. A leading ~/
/// stands for $HOME. Hidden ones only if the name begins with a dot.
std::vector<std::string> matching_paths(std::string_view word);

/// Those of `words` that begin with `word`.
std::vector<std::string> matching_words(const std::vector<std::string>& words,
                                        std::string_view word);

/// `path` with a leading ~/ replaced by $HOME.
std::string expand_home(std::string_view path);

}  // namespace leyden::tools
