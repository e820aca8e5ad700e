#pragma once

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "quant/error.h"
#include "tools/model_options.h"

namespace leyden::tools {

/// Writes a document to a file (aside, then renamed), or to standard output for "-".
/// Errors: formats::WriteError, std::runtime_error naming the file.
void write_json(const std::string& file, const nlohmann::json& document);

/// Refuses a file that write_json() couldn't write, or that would replace what its figures come
/// from, before the work that they take. file: "" and "-" are none, nothing is looked at.
/// read: other files of the command, "" where one isn't given. models: those it loads.
/// Errors: formats::WriteError; formats::LoadError if a model isn't one.
void check_json_target(const std::string& file, std::vector<std::filesystem::path> read,
                       const std::vector<ModelOptions>& models = {});

/// Where text for people goes: standard output, unless that is where the JSON goes.
std::FILE* human_output(const std::string& json_file);

/// The figures by their names, as the reports of convert and compare have them.
nlohmann::json figures_json(const quant::ErrorFigures& figures);

/// A list of numbers; what is not finite becomes null.
nlohmann::json finite_numbers(std::span<const float> values);

}  // namespace leyden::tools
