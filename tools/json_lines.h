#pragma once

#include <functional>
#include <string>

#include "formats/json.h"
#include "formats/json_field.h"

namespace leyden::tools {

/// Answers every line of a .jsonl file ("-": standard input) with a line on standard output.
/// `answer` gets the line's document and returns its answer. A line that is no JSON, and an
/// exception of `answer`, are answered by {"error": what}; blank lines by nothing.
/// Returns the number of errors. Errors: LoadError if the file can't be read.
int answer_json_lines(const std::string& file,
                      const std::function<formats::Json(const formats::JsonField& line)>& answer);

/// Writes a document as one line to standard output, as UTF-8 whatever strings are in it.
/// Errors: std::runtime_error if it can't be written.
void print_json_line(const formats::Json& document);

}  // namespace leyden::tools
