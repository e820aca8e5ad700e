#include "tools/program.h"

#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <iostream>
#include <new>
#include <stdexcept>

#include "simd/kernels.h"
#include "tools/commands.h"
#include "tools/visible_text.h"

namespace leyden::tools {
namespace {

constexpr int kFailure = 1, kUsage = 2;

int run(int argc, char** argv) {
  CLI::App app("Runs DeepSeek-V3-class models on CPUs.", "leyden");
  app.set_version_flag("--version", "leyden " LEYDEN_VERSION);
  app.set_help_all_flag("--help-all", "Help of all commands");
  app.require_subcommand(1);
  app.footer(
      "LEYDEN_ISA=scalar|avx2|avx512|avx512vnni|amx forces a kernel level.\n"
      "'leyden COMMAND --help' explains a command.");
  int exit_code = 0;
  add_chat(app, exit_code);
  add_run(app, exit_code);
  add_convert(app, exit_code);
  add_calibrate(app, exit_code);
  add_compare(app, exit_code);
  add_eval(app, exit_code);
  add_logits(app, exit_code);
  add_inspect(app, exit_code);
  add_bench(app, exit_code);
  add_machine(app, exit_code);
  add_tokenize(app, exit_code);
  add_render(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      app.exit(error);
      if (!std::cout.flush()) throw std::runtime_error("standard output: can't write");
      return 0;
    }
    const auto chosen = app.get_subcommands();
    const auto unknown = app.remaining();
    std::string complaint = error.what();
    if (chosen.empty() && !unknown.empty()) {  // CLI11 only says that it needs a command
      const bool option = unknown.front().starts_with('-');
      complaint =
          fmt::format("there is no {} '{}'", option ? "option" : "command", unknown.front());
    }
    std::cerr << "leyden: " << visible(complaint) << "\nTry 'leyden";
    for (const CLI::App* command : chosen) std::cerr << ' ' << command->get_name();
    std::cerr << " --help'.\n";
    return kUsage;
  }
  if (exit_code == 0 && (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)) {
    throw std::runtime_error("standard output: can't write");
  }
  return exit_code;
}

}  // namespace

int run_program(int argc, char** argv) {
  try {
    simd::kernels();
  } catch (const std::exception& error) {
    std::cerr << "leyden: " << visible(error.what()) << '\n';
    return kUsage;
  }
  try {
    return run(argc, argv);
  } catch (const std::bad_alloc&) {
    std::cerr << "leyden: not enough memory\n";
  } catch (const std::exception& error) {  // names and texts in it may come from a hostile file
    std::cerr << "leyden: " << visible(error.what()) << '\n';
  }
  return kFailure;
}

}  // namespace leyden::tools
