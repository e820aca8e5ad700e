#pragma once

#include <string>
#include <vector>

namespace leyden::text {

/// Whose words a stretch of a prompt is. Only the format's own may contain control tokens; what
/// people, files, tools or a model have written is text, whatever it looks like.
enum class Voice { kFormat, kPeople };

struct Segment {
  Voice voice;
  std::string text;  // UTF-8; bytes that aren't are kept
};

/// A rendered prompt. Joined, the texts are what the model's own template would print.
using Prompt = std::vector<Segment>;

inline std::string joined(const Prompt& prompt) {
  std::string text;
  for (const Segment& segment : prompt) text += segment.text;
  return text;
}

}  // namespace leyden::text
