#include "tools/process.h"
#include "tools/program.h"

int main(int argc, char** argv) {
  leyden::tools::prepare_process();
  return leyden::tools::run_program(argc, argv);
}
