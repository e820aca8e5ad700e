# For tests of the command line. Sourced with `leyden` set: runs tests by name, counts what is wrong.
#
#   call ARGS...     runs the program; status, and what it wrote in $work/out and $work/err
#   exits STATUS     that was its status
#   says out|err TEXT  one of them has the text
set -uo pipefail
export LC_ALL=C.UTF-8
unset NO_COLOR LEYDEN_ISA LEYDEN_DEMO_MODEL
# What a program that ends leaves in memory is nobody's loss here; looking for it is a fifth of a start.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
work=$(mktemp -d)
export HOME=$work/home XDG_STATE_HOME=$work/home/state
mkdir -p "$HOME"
failures=0
status=0

# A program that hangs is killed, which gives it status 137: every child that is there at two looks.
kill_what_hangs() {
  local child children seen=" " never
  exec {never}<> <(:) >/dev/null 2>&1
  until read -rt 150 -u "$never" || [[ ! -e /proc/$$ ]]; do
    read -r children <"/proc/$$/task/$$/children"
    for child in $children; do
      [[ $child == "$BASHPID" || $seen != *" $child "* ]] || kill -KILL "$child"
    done
    seen=" $children "
  done
}
kill_what_hangs &
watcher=$!
trap 'kill "$watcher"; rm -rf "$work"' EXIT

call() {
  called="leyden $*"
  "$leyden" "$@" >"$work/out" 2>"$work/err" </dev/null
  status=$?
}
fail() {
  printf 'FAIL %s: %s: %s\n' "$test" "${called-}" "$1"
  head -c 2000 "$work/err" | sed 's/^/  | /'
  failures=$((failures + 1))
}
exits() { [[ $status == "$1" ]] || fail "status $status, expected $1"; }
# reads FILE: into $text, by the shell itself: a process for each check costs more than what is tested. Bytes of
# zero end lines in it.
reads() {
  local parts
  mapfile -d '' parts <"$1"
  printf -v text '%s\n' "${parts[@]}"
}
says() {
  local text
  reads "$work/$1"
  [[ $text == *"$2"* ]] || fail "std$1 lacks '$2'"
}
silent() { [[ ! -s $work/$1 ]] || fail "std$1 isn't empty"; }
# refuses TEXT...: status 1 and one sentence that has all of these.
refuses() {
  exits 1
  local text expected
  reads "$work/err"
  [[ $'\n'$text == *$'\n''leyden: '* ]] || fail "no sentence"
  for expected in "$@"; do
    [[ $text == *"$expected"* ]] || fail "stderr lacks '$expected'"
  done
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
