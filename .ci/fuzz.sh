# libFuzzer on every parser, FUZZ_SECONDS each (default 60), from FUZZ_SEED (default 1: a submission is
# judged by its change and not by luck; to search, take another and hours), five at once on two cores.
set -euo pipefail
bash .ci/install.sh clang-16 libclang-rt-16-dev
./leyden --version >/dev/null # installs what the build needs
cmake --preset fuzz >build/fuzz.log 2>&1 || { cat build/fuzz.log; exit 1; }
cmake --build --preset fuzz --target fuzz_targets >build/fuzz.log 2>&1 ||
  { grep -A 20 '^FAILED' build/fuzz.log | head -n 60; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export work seconds=${FUZZ_SECONDS:-60} seed=${FUZZ_SEED:-1}
export ASAN_OPTIONS=allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1

# fuzz PROGRAM: new inputs go to a folder that is thrown away; an input that breaks something stays.
fuzz() {
  local name=${1##*/fuzz_}
  mkdir "$work/$name"
  if "$1" -seed="$seed" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=20000 \
    -artifact_prefix="build/fuzz/$name-" "$work/$name" "tests/fuzz/seeds/$name" >"$work/$name.log" 2>&1; then
    printf '%s: %s\n' "$name" "$(grep -o 'Done .*' "$work/$name.log")"
  else
    printf '%s: found something\n' "$name"
    tail -n 60 "$work/$name.log"
    base64 -w 0 build/fuzz/"$name"-* | head -c 30000
    return 1
  fi
}
export -f fuzz
find build/fuzz/tests/fuzz -name 'fuzz_*' -type f -executable -print0 |
  xargs -0 -n 1 -P $((5 * $(nproc) / 2)) bash -c 'fuzz "$1"' -
