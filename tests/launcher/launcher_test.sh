#!/usr/bin/env bash
# Tests ./leyden in a checkout of its own where cmake, ninja, apt-get and the like are small fakes
# that write down how they were called: launcher_test.sh SOURCE_DIR
# shellcheck disable=SC2016,SC2317  # fakes are quoted scripts; tests are called by name
set -uo pipefail
source_dir=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# A PATH of its own, so that no real package manager or compiler can be reached.
bin=$work/bin
mkdir -p "$bin"
for tool in bash cat chmod env find flock grep head mkdir mv nproc readlink rm sed sha256sum sleep \
  tail touch; do
  ln -s "$(command -v "$tool")" "$bin/$tool"
done

# fake NAME: from standard input. Where a link to the real tool was, it must not be written through.
fake() {
  rm -f "$bin/$1"
  { printf '#!%s/bash\necho "%s $*" >>"$FAKE/calls"\n' "$bin" "$1" && cat; } >"$bin/$1"
  chmod +x "$bin/$1"
}
fake dpkg-query <<'EOF'
cat "$FAKE/installed"; exit 1  # as dpkg-query does when one of the names is unknown
EOF
fake apt-get <<'EOF'
case " $* " in
  *" update "*) rm -f "$FAKE/lists-are-empty" ;;
  *" install "*)
    if [[ -e $FAKE/lists-are-empty || -e $FAKE/no-network ]]; then
      echo "E: Unable to locate package"; exit 100
    fi
    for word; do echo "installed $word"; done >>"$FAKE/installed" ;;
esac
EOF
fake cmake <<'EOF'
preset=${!#}
[[ -e $FAKE/cmake-fails ]] && { echo "CMake Error: no compiler"; exit 1; }
mkdir -p "build/$preset"
: >"build/$preset/build.ninja"
echo "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" >"build/$preset/CMakeCache.txt"
EOF
fake ninja <<'EOF'
dir=$2
echo "[0/1] Re-checking globbed directories..."
trap 'echo "ninja: build stopped: interrupted by user."; exit 2' INT
[[ -e $FAKE/ninja-is-slow ]] && { : >"$FAKE/ninja-runs"; sleep "$(<"$FAKE/ninja-is-slow")"; }
if [[ -e $FAKE/ninja-fails ]]; then
  printf '%s\n' "[1/2] Building a.o" "FAILED: a.o" "a.cc:1: error: expected ';'" "[2/2] Building b.o"
  exit 1
fi
if [[ -e $dir/leyden ]]; then echo "ninja: no work to do."; exit 0; fi
echo "[1/1] Linking leyden"
cat "$FAKE/program" >"$dir/leyden"; chmod +x "$dir/leyden"
EOF
fake ctest <<<'echo "100% tests passed"'
fake id <<<'echo "${FAKE_UID-0}"'

# fresh: a new checkout at $work/checkout, nothing built, every package there; root runs it.
fresh() {
  rm -rf "$work/checkout" "$work/fake" "$bin/sudo"
  mkdir -p "$work/checkout" "$work/fake"
  cat "$source_dir/leyden" >"$work/checkout/leyden"
  chmod +x "$work/checkout/leyden"
  printf '# comment\ncmake\ng++\n\nlibfmt-dev\n' >"$work/checkout/packages.txt"
  printf 'installed %s\n' cmake g++ libfmt-dev >"$work/fake/installed"
  cat >"$work/fake/program" <<EOF
#!$bin/bash
[[ \${1-} == unknown ]] && exit 2
echo "args:\$# \$*"; echo "cwd:\$PWD"; echo "isa:\${LEYDEN_ISA-}"; cat
EOF
  writable
  export FAKE=$work/fake FAKE_UID=0
}
start() { (cd "${in-$work/checkout}" && PATH=$bin "${as-./leyden}" "$@" >"$work/out" 2>"$work/err" </dev/null); }

# The checkout as one who may not write it sees it; root, too.
read_only() { fake mkdir <<<'echo "mkdir: Permission denied" >&2; exit 1'; }
writable() { ln -sf "$(command -v mkdir)" "$bin/mkdir"; }

fail() {
  printf 'FAIL %s: %s\n' "$name" "$1"
  sed 's/^/  out: /' "$work/out"
  sed 's/^/  err: /' "$work/err"
  failures=$((failures + 1))
}
exits() { [[ $1 == "$2" ]] || fail "exit status $1, expected $2"; }
says() { grep -qF -- "$2" "$work/$1" || fail "$1 lacks '$2'"; }
says_nothing() { [[ ! -s $work/$1 ]] || fail "$1 isn't empty"; }
called() { grep -qE -- "$1" "$FAKE/calls" || fail "nobody called '$1'"; }
not_called() { ! grep -qE -- "$1" "$FAKE/calls" || fail "somebody called '$1'"; }

test_a_first_start_builds_and_passes_everything_on() {
  LEYDEN_ISA=avx2 start run -p "two words"
  exits $? 0
  says out "args:3 run -p two words"
  says out "isa:avx2"
  says err "leyden: configuring build/release"
  says err "leyden: building"
  not_called apt-get
}
test_a_second_start_says_nothing_and_asks_no_package_manager() {
  start run
  : >"$FAKE/calls"
  start run
  exits $? 0
  says_nothing err
  not_called 'dpkg-query|apt-get|cmake'
}
test_it_works_from_elsewhere_and_through_links() {
  mkdir -p "$work/else where"
  ln -sf ../checkout/leyden "$work/else where/ley"
  in="$work/else where" as=./ley start run
  exits $? 0
  says out "cwd:$work/else where"
  in=/ as="$work/else where/ley" start run
  exits $? 0
}
test_the_exit_status_is_the_programs() {
  start unknown
  exits $? 2
}
test_standard_input_reaches_the_program() {
  (cd / && echo "from stdin" | PATH=$bin "$work/checkout/leyden" run >"$work/out" 2>"$work/err")
  exits $? 0
  says out "from stdin"
}
test_missing_packages_are_named_and_installed() {
  echo "installed cmake" >"$FAKE/installed"
  start run
  exits $? 0
  says err "installing Debian packages: g++ libfmt-dev"
  called 'apt-get .*install .*g\+\+ libfmt-dev'
  not_called 'apt-get .*update'
}
test_package_lists_are_fetched_when_they_are_empty() {
  : >"$FAKE/installed"
  : >"$FAKE/lists-are-empty"
  start run
  exits $? 0
  called 'apt-get .*update'
}
test_sudo_is_used_by_others_than_root() {
  fake sudo <<<'shift; exec "$@"'
  echo "installed cmake" >"$FAKE/installed"
  FAKE_UID=1000 start run
  exits $? 0
  called 'sudo -- env .*apt-get .*install'
}
test_neither_root_nor_sudo_gets_a_sentence() {
  echo "installed cmake" >"$FAKE/installed"
  FAKE_UID=1000 start run
  exits $? 1
  says err "needs root or sudo; please run as root: apt-get update && apt-get install g++ libfmt-dev"
  not_called apt-get
}
test_packages_that_cannot_be_had_get_a_sentence() {
  : >"$FAKE/installed"
  : >"$FAKE/no-network"
  start run
  exits $? 1
  says err "Unable to locate package"
  says err "the packages could not be installed"
}
test_another_system_is_tried_with_a_sentence() {
  mv "$bin/dpkg-query" "$bin/.dpkg-query"
  start run
  exits $? 0
  says err "not a Debian system"
  mv "$bin/.dpkg-query" "$bin/dpkg-query"
}
test_a_failed_build_shows_the_error_alone_and_looks_for_packages_again() {
  : >"$FAKE/ninja-fails"
  start run
  exits $? 1
  says err "expected ';'"
  says err "the build failed"
  ! grep -q 'Building b.o' "$work/err" || fail "progress lines are in the error"
  rm "$FAKE/ninja-fails"
  echo "installed cmake" >"$FAKE/installed"
  start run
  exits $? 0
  says err "installing Debian packages: g++ libfmt-dev"
}
test_a_failed_configuration_is_tried_anew() {
  : >"$FAKE/cmake-fails"
  start run
  exits $? 1
  says err "CMake Error: no compiler"
  rm "$FAKE/cmake-fails"
  start run
  exits $? 0
}
test_a_moved_checkout_is_configured_anew() {
  start run
  rm -rf "$work/moved"
  mv "$work/checkout" "$work/moved"
  in=$work/moved start run
  exits $? 0
  says err "configuring"
}
test_two_starts_at_once_wait_for_each_other() {
  echo 1 >"$FAKE/ninja-is-slow"
  (cd / && PATH=$bin "$work/checkout/leyden" run >/dev/null 2>&1 </dev/null) &
  until [[ -e $FAKE/ninja-runs ]]; do sleep 0.05; done
  start run
  exits $? 0
  says err "waiting for another leyden"
  wait
  [[ $(grep -c '^cmake' "$FAKE/calls") == 1 ]] || fail "both configured"
}
# starts_slow_build: the launcher goes on in a process group of its own, where SIGINT isn't ignored.
starts_slow_build() {
  echo 60 >"$FAKE/ninja-is-slow"
  set -m
  (cd / && PATH=$bin exec "$work/checkout/leyden" run >"$work/out" 2>"$work/err" </dev/null) &
  launcher=$!
  set +m
  until [[ -e $FAKE/ninja-runs ]]; do sleep 0.05; done
}
interrupts_it() {
  kill -INT -- "-$launcher"
  wait "$launcher"
}
test_an_interrupted_build_ends_quietly() {
  starts_slow_build
  interrupts_it
  exits $? 130
  ! grep -q 'failed' "$work/err" || fail "it says that something failed"
  [[ -s $work/checkout/build/.packages ]] || fail "the next start would look for packages"
}
test_a_slow_first_step_is_announced() {
  local tries=300
  starts_slow_build
  until grep -q building "$work/err" || ((--tries == 0)); do sleep 0.1; done
  says err "leyden: building"
  interrupts_it
}
test_a_line_that_counts_is_only_for_terminals_that_can_erase() {
  local terminal escape=$'\e[K'
  for terminal in xterm dumb; do
    rm -f "$work/checkout/build/release/leyden"
    TERM=$terminal script -qec "PATH=$bin $work/checkout/leyden run" /dev/null \
      >"$work/out" </dev/null
    says out "leyden: building"
    [[ $terminal == xterm ]] && says out "${escape}leyden: building, step 1 of 1"
  done
  ! grep -qF "$escape" "$work/out" || fail "a dumb terminal was told to erase"
}
test_a_lost_cache_is_configured_anew_without_complaints() {
  start run
  rm "$work/checkout/build/release/CMakeCache.txt"
  start run
  exits $? 0
  says err "configuring"
  ! grep -q 'No such file' "$work/err" || fail "it complains about the cache"
}
test_a_checkout_of_somebody_else_is_used_as_it_is() {
  : >"$work/checkout/old.cc"
  start run
  touch -d '1 hour ago' "$work/checkout/old.cc"
  read_only
  start run
  exits $? 0
  says out "args:1 run"
  says_nothing err
  touch -d 'next hour' "$work/checkout/new.cc"
  start run
  exits $? 0
  says out "args:1 run"
  says err "leyden: using the build as it is: $work/checkout/build can't be written"
}
test_a_checkout_of_somebody_else_cannot_be_built_or_tested() {
  read_only
  start run
  exits $? 1
  says err "$work/checkout/build can't be written, so leyden can't be built there"
  writable
  start run
  read_only
  start test --asan
  exits $? 1
  says_nothing out
  says err "$work/checkout/build can't be written, so the tests can't be built there"
}
test_a_missing_cmake_is_installed_although_the_packages_have_not_changed() {
  start run
  rm -rf "$work/checkout/build/release"
  echo "installed g++" >"$FAKE/installed"
  mv "$bin/cmake" "$FAKE/cmake"
  start run
  says err "installing Debian packages: cmake libfmt-dev"
  mv "$FAKE/cmake" "$bin/cmake"
}
test_test_builds_everything_and_runs_ctest() {
  start test -R quant
  exits $? 0
  says out "100% tests passed"
  called 'ninja -C .*/build/release .* all'
  called 'ctest --preset release --parallel [0-9]+ -R quant'
}
test_tests_run_one_more_at_once_than_there_are_cores_but_not_hundreds() {
  local cores
  for cores in 2:3 7:8 8:8 192:8; do
    fake nproc <<<"echo ${cores%:*}"
    start test
    called "ctest --preset release --parallel ${cores#*:}\$"
  done
  ln -sf "$(command -v nproc)" "$bin/nproc"
}
test_sanitizers_have_builds_of_their_own() {
  start test --asan
  exits $? 0
  called 'cmake .*--preset asan'
  called 'ninja -C .*/build/asan .* all'
  called 'ctest --preset asan'
}

for name in $(compgen -A function test_); do
  fresh
  : >"$FAKE/calls"
  "$name"
done
((failures == 0)) && echo "all launcher tests passed"
exit $((failures > 0))
