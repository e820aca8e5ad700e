# Layout of the C++ sources (clang-format of Debian 12) and errors in the shell scripts.
set -euo pipefail
bash .ci/install.sh clang-format shellcheck
git ls-files -z '*.h' '*.cc' | xargs -0 --no-run-if-empty clang-format --dry-run --Werror
git ls-files -z leyden .ci '*.sh' | xargs -0 shellcheck --shell=bash \
  --external-sources --source-path=SCRIPTDIR --severity=error
