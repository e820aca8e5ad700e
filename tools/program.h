#pragma once

namespace leyden::tools {

/// The whole program: parses the arguments, runs the command, prints what goes wrong as a sentence
/// on standard error. Returns the exit status: 0, 1 for a failure, 2 for wrong usage. Never throws.
int run_program(int argc, char** argv);

}  // namespace leyden::tools
