# The demo model on emulated machines of several NUMA nodes (tests/numa).
set -euo pipefail
./leyden test --numa
