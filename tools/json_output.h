#pragma once

#include <cstdio>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "quant/error.h"

namespace leyden::tools {

/// Writes a document to a file (aside, then renamed), or to standard output for "-".
/// Errors: formats::WriteError, std::runtime_error naming the file.
void write_json(const std::string& file, const nlohmann::json& document);

/// Refuses a file that write_json() couldn't write, before the work whose result it is to hold.
/// Errors: formats::WriteError.
void check_json_target(const std::string& file);

/// Where text for people goes: standard output, unless that is where the JSON goes.
std::FILE* human_output(const std::string& json_file);

/// The figures by their names, as the reports of convert and compare have them.
nlohmann::json figures_json(const quant::ErrorFigures& figures);

/// A list of numbers; what is not finite becomes null.
nlohmann::json finite_numbers(std::span<const float> values);

}  // namespace leyden::tools
