# AddressSanitizer and UndefinedBehaviorSanitizer over everything; the model on two of the levels,
# since those of one width share their sources.
set -euo pipefail
./leyden test --asan -E '^leyden_model_tests\.(scalar|avx512)\.'
