# libFuzzer on every parser: FUZZ_RUNS inputs each (default 20000) from FUZZ_SEED (default 1), the same ones every
# time, so that a submission is judged by its change and not by luck; FUZZ_SECONDS (default 120) is for machines that
# are too slow. Five at once on two cores. To search: FUZZ_RUNS=-1 FUZZ_SECONDS=7200 FUZZ_SEED=7 .ci/run fuzz
set -euo pipefail
bash .ci/install.sh clang-16 libclang-rt-16-dev
./leyden --version >/dev/null # installs what the build needs
cmake --preset fuzz >build/fuzz.log 2>&1 || { cat build/fuzz.log; exit 1; }
cmake --build --preset fuzz --target fuzz_targets >build/fuzz.log 2>&1 ||
  { grep -A 20 '^FAILED' build/fuzz.log | head -n 60; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export work runs=${FUZZ_RUNS:-20000} seconds=${FUZZ_SECONDS:-120} seed=${FUZZ_SEED:-1}
export LC_ALL=C # the order of the seeds
# libFuzzer mutates with what was compared, pointers among it: so nothing may move, the stack included, which begins
# below the environment.
export still='env -i PATH=/usr/bin:/bin ASAN_OPTIONS=allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1'
if setarch -R true 2>/dev/null; then
  still+=' setarch -R'
else
  echo 'addresses are random here: not quite the same inputs every time'
fi

# fuzz TARGET: starts from the seeds; an input that breaks something stays.
fuzz() {
  local name=$1 seeds
  seeds=$(printf '%s,' "tests/fuzz/seeds/$name"/*) # a folder would be read in the file system's order
  if $still build/fuzz/tests/fuzz/fuzz_targets "$name" -seed="$seed" -runs="$runs" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=2048 -max_len=20000 \
    -print_funcs=0 -artifact_prefix="build/fuzz/$name-" -seed_inputs="${seeds%,}" >"$work/$name.log" 2>&1; then
    printf '%s: %s\n' "$name" "$(grep -o 'DONE *cov: .* corp: [^ ]*\|Done .*' "$work/$name.log" | xargs)"
  else
    printf '%s: found something\n' "$name"
    tail -n 60 "$work/$name.log"
    base64 -w 0 "$(find build/fuzz -maxdepth 1 -name "$name-*" -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2)" | head -c 30000
    return 1
  fi
}
export -f fuzz
find tests/fuzz -name '*_fuzz.cc' -printf '%f\0' | sed -z 's/_fuzz\.cc$//' |
  xargs -0 -n 1 -P $((5 * $(nproc) / 2)) bash -c 'fuzz "$1"' -
