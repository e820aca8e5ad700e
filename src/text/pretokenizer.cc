#include "src/text/pretokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "formats/json_text.h"
#include "formats/load_error.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace leyden::text {
namespace {

constexpr std::size_t kMaxPatternBytes = 1 << 16;
// How long a match may be tried from one place, in PCRE2's steps: its own default, and more for a
// long text. It counts anew at every place, and reading a run of any length is one step: a pattern
// that reads the whole rest at each takes time by the square of the text, and PCRE2 doesn't tell.
constexpr std::size_t kMinSteps = 10'000'000;
constexpr std::size_t kStepsPerByte = 4;

struct Free {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_compile_context* context) const { pcre2_compile_context_free(context); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

std::string error_text(int code) {
  unsigned char text[256];
  pcre2_get_error_message(code, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

// Oniguruma's \s and \S in PCRE2's words, inside and outside of character classes.
std::string in_pcre2_dialect(std::string_view pattern) {
  std::string out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    out += pattern[i];
    if (pattern[i] != '\\' || i + 1 == pattern.size()) continue;
    const char escaped = pattern[++i];
    if (escaped == 's') {
      out += "p{White_Space}";
    } else if (escaped == 'S') {
      out += "P{White_Space}";
    } else {
      out += escaped;
    }
  }
  return out;
}

}  // namespace

class Pretokenizer::Pattern {
 public:
  Pattern(std::string_view text, const std::string& origin) : text_(text) {
    const auto refuse = [&](const std::string& what) {
      throw formats::LoadError(
          origin, fmt::format("split pattern '{}' {}", formats::excerpt(text, 80), what));
    };
    if (text.size() > kMaxPatternBytes) {
      refuse(fmt::format("has {} bytes, expected at most {}", text.size(), kMaxPatternBytes));
    }
    const Owned<pcre2_compile_context> context(pcre2_compile_context_create(nullptr));
    pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
    const std::string translated = in_pcre2_dialect(text);
    int error = 0;
    std::size_t offset = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                              PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                              &error, &offset, context.get()));
    if (!code_) refuse(fmt::format("doesn't compile: {} near byte {}", error_text(error), offset));
    pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);  // without JIT it still matches, slowly
  }

  const pcre2_code* code() const { return code_.get(); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  Owned<pcre2_code> code_;
};

/// One pass over one text, with PCRE2's working memory.
class Pretokenizer::Scan {
 public:
  Scan(const std::vector<Pattern>& patterns, const std::string& origin,
       const std::function<void(std::string_view)>& use)
      : patterns_(patterns),
        origin_(origin),
        use_(use),
        match_(pcre2_match_data_create(1, nullptr)),
        context_(pcre2_match_context_create(nullptr)) {
    if (!match_ || !context_) throw std::bad_alloc();
  }

  // Cuts `text` by the patterns from number `level` on. Every piece is matched as a text of its
  // own, so lookahead doesn't see the next piece: that's what "one after another" means.
  void cut(std::string_view text, std::size_t level) {
    if (text.empty()) return;
    if (level == patterns_.size()) {
      use_(text);
      return;
    }
    std::size_t done = 0;
    while (done < text.size() && find(patterns_[level], text, done)) {
      const std::size_t* bounds = pcre2_get_ovector_pointer(match_.get());
      const std::size_t begin = bounds[0];
      const std::size_t end = bounds[1];
      cut(text.substr(done, begin - done), level + 1);
      cut(text.substr(begin, end - begin), level + 1);
      done = end;
    }
    cut(text.substr(done), level + 1);
  }

 private:
  // The next match, never empty, at or after `from`.
  bool find(const Pattern& pattern, std::string_view text, std::size_t from) {
    constexpr std::uint32_t kOptions = PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY;
    // Going back through a run of blanks takes a step for each.
    const std::size_t steps = kMinSteps + kStepsPerByte * text.size();
    pcre2_set_match_limit(context_.get(), static_cast<std::uint32_t>(std::min<std::size_t>(
                                              steps, std::numeric_limits<std::uint32_t>::max())));
    const auto subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    int found = pcre2_match(pattern.code(), subject, text.size(), from, kOptions, match_.get(),
                            context_.get());
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) {  // the interpreter takes its stack from the heap
      found = pcre2_match(pattern.code(), subject, text.size(), from, kOptions | PCRE2_NO_JIT,
                          match_.get(), context_.get());
    }
    if (found >= 0) return true;
    if (found == PCRE2_ERROR_NOMATCH) return false;
    throw formats::LoadError(
        origin_, fmt::format("split pattern '{}' gave up on a text of {} bytes: {}",
                             formats::excerpt(pattern.text(), 80), text.size(), error_text(found)));
  }

  const std::vector<Pattern>& patterns_;
  const std::string& origin_;
  const std::function<void(std::string_view)>& use_;
  Owned<pcre2_match_data> match_;
  Owned<pcre2_match_context> context_;
};

Pretokenizer::Pretokenizer(const std::vector<std::string>& patterns, const std::string& origin)
    : origin_(origin) {
  patterns_.reserve(patterns.size());
  for (const std::string& pattern : patterns) patterns_.emplace_back(pattern, origin);
}
Pretokenizer::Pretokenizer(Pretokenizer&&) noexcept = default;
Pretokenizer& Pretokenizer::operator=(Pretokenizer&&) noexcept = default;
Pretokenizer::~Pretokenizer() = default;

void Pretokenizer::split(std::string_view text,
                         const std::function<void(std::string_view)>& use) const {
  Scan(patterns_, origin_, use).cut(text, 0);
}

}  // namespace leyden::text
