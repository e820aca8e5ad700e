# ThreadSanitizer over the tests that start threads, and building no more than those, with one kernel level.
set -euo pipefail
./leyden --version >/dev/null # installs what the build needs
cmake --preset tsan >build/tsan.log 2>&1 || { cat build/tsan.log; exit 1; }
cmake --build --preset tsan --target leyden_runtime_tests leyden_model_tests >build/tsan.log 2>&1 ||
  { grep -A 20 '^FAILED' build/tsan.log | head -n 60; exit 1; }
# ThreadSanitizer's fixed memory layout collides with much address randomization (newer kernels).
launcher=()
if setarch -R true 2>/dev/null; then launcher=(setarch -R); fi
export TSAN_OPTIONS=suppressions=$PWD/cmake/tsan.suppressions LEYDEN_ISA=avx2
"${launcher[@]}" build/tsan/tests/runtime/leyden_runtime_tests --gtest_brief=1
"${launcher[@]}" build/tsan/tests/model/leyden_model_tests --gtest_brief=1 \
  --gtest_filter='*Determinism*:DemoTest.Answers*:DemoTest.SessionsOf*:ContainerTest.ComputesWhat*:SessionFork*:KvCache*'
