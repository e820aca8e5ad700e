#include "tools/program.h"

int main(int argc, char** argv) { return leyden::tools::run_program(argc, argv); }
