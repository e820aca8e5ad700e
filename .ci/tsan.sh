# ThreadSanitizer over the tests that start threads.
set -euo pipefail
./leyden test --tsan -R '^leyden_(runtime|model)_tests'
