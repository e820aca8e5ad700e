# ThreadSanitizer over the tests that start threads.
set -euo pipefail
./leyden test --tsan -R '^leyden_runtime_tests|^leyden_model_tests\.avx2\..*(Demo|Determinism|Container)'
