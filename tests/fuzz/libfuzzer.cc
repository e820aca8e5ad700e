// The targets as one libFuzzer program: fuzz_targets TARGET OPTION|SEED...
#include "tests/fuzz/fuzz.h"

namespace {

leyden::fuzz::Target chosen = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  const auto target = leyden::fuzz::targets().find(*argc > 1 ? (*argv)[1] : "");
  leyden::fuzz::must(target != leyden::fuzz::targets().end(), "the target is known");
  chosen = target->second;
  (*argv)[1] = (*argv)[0];  // libFuzzer reads what follows
  ++*argv;
  --*argc;
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return chosen(data, size);
}
