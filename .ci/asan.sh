# AddressSanitizer and UndefinedBehaviorSanitizer over everything.
set -euo pipefail
./leyden test --asan
