#pragma once

#include <CLI/CLI.hpp>

/// One function per subcommand, each in a file of its own name: it registers the subcommand and its
/// options with `app`, and a callback that runs it. A callback throws what goes wrong (main prints
/// it and exits with 1; CLI::ValidationError is wrong usage and exits with 2) and sets exit_code
/// only for an outcome that isn't an error of the program.
namespace leyden::tools {

void add_bench(CLI::App& app, int& exit_code);
void add_calibrate(CLI::App& app, int& exit_code);
void add_chat(CLI::App& app, int& exit_code);
void add_compare(CLI::App& app, int& exit_code);
void add_convert(CLI::App& app, int& exit_code);
void add_eval(CLI::App& app, int& exit_code);
void add_inspect(CLI::App& app, int& exit_code);
void add_logits(CLI::App& app, int& exit_code);
void add_machine(CLI::App& app, int& exit_code);
void add_render(CLI::App& app, int& exit_code);
void add_run(CLI::App& app, int& exit_code);
void add_tokenize(CLI::App& app, int& exit_code);

}  // namespace leyden::tools
