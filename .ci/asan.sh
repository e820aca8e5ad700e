# AddressSanitizer and UndefinedBehaviorSanitizer over everything; the model on two of the levels,
# since those of one width share their sources. What people type into a terminal is left to the suite:
# those tests wait for screens, and under sanitizers on two cores they would take minutes.
set -euo pipefail
./leyden test --asan -E '^leyden_model_tests\.(scalar|avx512)$|^tools\.chat_(terminal|sessions)$'
