#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace leyden::text {

/// Cuts text into the pieces that BPE works on, by the split patterns of a tokenizer file
/// (formats::TokenizerSpec::split_patterns), compiled by PCRE2 with JIT and Unicode properties.
/// The files mean Oniguruma's dialect: \s is Unicode's White_Space (PCRE2's own also has U+180E),
/// and ^ and $ match at every line. Immutable, so any number of threads may share one.
class Pretokenizer {
 public:
  /// origin: begins the messages. Errors: formats::LoadError naming pattern and offset if one
  /// doesn't compile.
  explicit Pretokenizer(const std::vector<std::string>& patterns,
                        const std::string& origin = "tokenizer");
  Pretokenizer(Pretokenizer&&) noexcept;
  Pretokenizer& operator=(Pretokenizer&&) noexcept;
  ~Pretokenizer();

  /// Calls `use` with every piece, from left to right; joined they are `text`, none is empty.
  /// `text` must be well-formed UTF-8.
  /// Errors: formats::LoadError if a pattern exceeds PCRE2's limits on this text, which those of
  ///         real tokenizers don't. These limits stop exponential patterns, not quadratic ones.
  void split(std::string_view text, const std::function<void(std::string_view)>& use) const;

 private:
  class Pattern;
  class Scan;
  std::string origin_;
  std::vector<Pattern> patterns_;
};

}  // namespace leyden::text
