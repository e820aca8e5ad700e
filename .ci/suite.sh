# A user's two commands: the first start with its installation and build, then the whole suite.
set -euo pipefail
./leyden --version
./leyden test
