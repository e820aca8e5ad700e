#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "src/text/call_block.h"

namespace leyden::text {

/// Walks over the text of a block. Every step returns false if it can't be taken, and has then
/// noted in the block whether more text could help.
class CallBlockReader {
 public:
  explicit CallBlockReader(std::string_view text) : rest_(text), size_(text.size()) {}

  /// Steps over the one of `literals` that comes next, as one must; `found` tells which.
  bool expect(std::initializer_list<std::string_view> literals, std::string_view& found,
              std::string_view error);
  /// Steps over the first of `stops` to come; `before` is the text up to it, and `stop` tells
  /// which.
  bool read_until(std::initializer_list<std::string_view> stops, std::string_view& before,
                  std::string_view& stop);
  bool broken(std::string_view error);

  void add_call(ToolCall call) { block_.calls.push_back(std::move(call)); }
  /// The block, at its end; and where a step couldn't be taken.
  CallBlock complete();
  CallBlock incomplete() { return std::move(block_); }

 private:
  std::string_view rest_;
  std::size_t size_;
  CallBlock block_;
};

/// The grammar of V3.2, in dsml_calls.cc; the others are in call_block.cc.
CallBlock parse_dsml_block(std::string_view text);

}  // namespace leyden::text
