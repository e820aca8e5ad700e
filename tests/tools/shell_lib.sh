# For tests of the command line. Sourced with `leyden` set: runs tests by name, counts what is wrong.
#
#   call ARGS...     runs the program; status, and what it wrote in $work/out and $work/err
#   exits STATUS     that was its status
#   says out|err TEXT  one of them has the text
set -uo pipefail
export LC_ALL=C.UTF-8
unset NO_COLOR LEYDEN_ISA LEYDEN_DEMO_MODEL
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME=$work/home XDG_STATE_HOME=$work/home/state
mkdir -p "$HOME"
failures=0
status=0

call() {
  called="leyden $*"
  timeout 300 "$leyden" "$@" >"$work/out" 2>"$work/err" </dev/null
  status=$?
}
fail() {
  printf 'FAIL %s: %s: %s\n' "$test" "${called-}" "$1"
  head -c 2000 "$work/err" | sed 's/^/  | /'
  failures=$((failures + 1))
}
exits() { [[ $status == "$1" ]] || fail "status $status, expected $1"; }
says() { grep -qF -- "$2" "$work/$1" || fail "std$1 lacks '$2'"; }
silent() { [[ ! -s $work/$1 ]] || fail "std$1 isn't empty"; }
# refuses TEXT...: status 1 and one sentence that has all of these.
refuses() {
  exits 1
  local text
  grep -q '^leyden: ' "$work/err" || fail "no sentence"
  for text in "$@"; do says err "$text"; done
}
nothing_at() { [[ ! -e $1 && ! -e $1.partial ]] || fail "something is left at $1"; }

run_tests() {
  for test in $(compgen -A function test_); do
    [[ -z ${ONLY-} || $test == *$ONLY* ]] || continue
    "$test" && true
  done
  ((failures == 0)) && echo "all tests passed"
  exit $((failures > 0))
}
