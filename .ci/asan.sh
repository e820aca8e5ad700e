# AddressSanitizer and UndefinedBehaviorSanitizer over everything, kernels on every level that this machine can run
# but avx512, which is avx512vnni but for one instruction (the suite compiles and tests all); the model on one of the
# levels, since all share their sources, and without reading documents for their perplexity or answering in turn, which
# take long. What people type into a terminal is left to the suite: those tests wait for screens.
set -euo pipefail
export GTEST_FILTER='-DemoTest.*KeepsThePerplexity:DemoTest.SessionsInTurn*'
./leyden test --asan \
  -E '^leyden_model_tests\.(scalar|avx512|avx512vnni|amx)$|^tools\.chat_(terminal|sessions)$'
