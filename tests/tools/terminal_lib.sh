# Drives the program in a real terminal (tmux), and counts what is wrong. Sourced by the tests:
#
#   start ARGS...     runs `leyden chat ARGS` in a fresh terminal of 100 x 30, waits for the prompt
#   launch ARGS...    the same without waiting
#   keys KEY...       presses keys by tmux's names; types TEXT types letters; enter TEXT sends it
#   sees TEXT [N]     waits until the screen, or what has scrolled away, has the text (N times)
#   lacks TEXT        it hasn't
#   prompts           waits until the last line is an empty prompt
#   ends [STATUS]     waits until the program has ended
#
# Waiting is polling, so the tests are as fast as the machine, and as patient as it is slow. The
# first thing that a test waits for in vain ends its waiting.
set -uo pipefail

export LC_ALL=C.UTF-8
unset NO_COLOR TMUX LEYDEN_ISA
work=$(mktemp -d)
socket=$work/tmux
exec {never}<> <(:) # nothing comes from there, so that reading it is sleeping
failures=0
failed=  # the present test has: waiting on makes no sense

# The demo model, quantized once and not by every start of the program.
export LEYDEN_DEMO_MODEL=$work/demo.leyden
"$leyden" convert --in "$(dirname "$0")/../../models/demo/checkpoint" --out "$LEYDEN_DEMO_MODEL" >/dev/null

tmux_() { tmux -S "$socket" -f /dev/null "$@"; }
finish() {
  tmux_ kill-server 2>/dev/null
  rm -rf "$work"
}
trap finish EXIT
tmux_ new-session -d -s keeper cat # a server without a session ends
tmux_ set-option -g history-limit 5000
tmux_ set-option -g default-terminal tmux-256color

# fresh: an empty home.
fresh() {
  rm -rf "$work/home"
  mkdir -p "$work/home"
  export HOME=$work/home XDG_STATE_HOME=$work/home/state
}

launch() {
  tmux_ kill-session -t =leyden 2>/dev/null
  local command
  printf -v command '%q ' "$leyden" chat "$@"
  tmux_ new-session -d -s leyden -x "${columns-100}" -y 30 \
    "env HOME='$HOME' XDG_STATE_HOME='$XDG_STATE_HOME' ${with-} $command; echo \"[exit \$?]\"; cat"
}
start() {
  launch "$@"
  prompts
}
# captures: into $lines, everything the terminal has shown, wrapped lines joined. What waits looks into them by the
# shell itself, since it does so again and again, and each process costs as much as it.
captures() { mapfile -t lines < <(exec tmux -S "$socket" capture-pane -p -J -S - -t leyden 2>/dev/null); }
# The same, without blanks at their ends.
screen() { captures && printf '%s\n' "${lines[@]}" | sed 's/ *$//'; }
keys() { tmux_ send-keys -t leyden "$@"; }
types() { tmux_ send-keys -t leyden -l -- "$1"; }
enter() {
  types "$1"
  waits shows_typed "$1" || fail "'$1' doesn't appear"
  keys Enter
}
pastes() {
  printf '%s' "$1" | tmux_ load-buffer -
  tmux_ paste-buffer -p -t leyden
}

fail() {
  [[ -z $failed ]] || return 1 # one complaint is enough
  printf 'FAIL %s: %s\n' "$test" "$1"
  failed=yes
  screen | grep -v '^$' | tail -n 30 | sed 's/^/  | /'
  failures=$((failures + 1))
}
# waits COMMAND...: until the command succeeds, for about a minute; false if it never does.
waits() {
  [[ -z $failed ]] || return 1
  local tries=1200
  until "$@"; do
    ((--tries)) || return 1
    read -rt 0.05 -u "$never" || true
  done
}
shows() {
  local line left=${2-1}
  captures
  for line in "${lines[@]}"; do
    [[ $line == *"$1"* ]] || continue
    ((--left)) || return 0
  done
  return 1
}
# last_line: into $last, the last one that isn't empty, without blanks at its end.
last_line() {
  captures
  local i=${#lines[@]}
  last=
  while [[ -z $last ]] && ((i--)); do last=${lines[i]%"${lines[i]##*[! ]}"}; done
  return 0
}
# Typed text stands in the last line. Enter must not be pressed before, or the next wait for a prompt
# would take the present one for it.
shows_typed() {
  local text=${1%"${1##*[! ]}"}
  last_line
  [[ $last == *"$text" ]]
}
shows_prompt() { last_line && [[ $last == '>' ]]; }
sees() { waits shows "$@" || fail "the screen lacks '$1'${2+ ($2 times)}"; }
lacks() { ! shows "$1" || fail "the screen has '$1'"; }
prompts() { waits shows_prompt || fail "there is no empty prompt"; }
ends() { sees "[exit ${1-0}]"; }
equals() { [[ $1 == "$2" ]] || fail "'$1' is not '$2'"; }

run_tests() {
  for test in $(compgen -A function test_); do
    [[ -z ${ONLY-} || $test == *$ONLY* ]] || continue
    failed=
    fresh
    "$test"
    [[ -n $failed ]] || echo "ok $test"
  done
  ((failures == 0)) && echo "all tests passed"
  exit $((failures > 0))
}
