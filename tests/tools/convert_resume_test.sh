#!/usr/bin/env bash
# Usage: convert_resume_test.sh PROGRAM CHECKPOINT [SANITIZERS]. Kills conversions at random moments and goes on
# with them until they are done; the result must be that of an undisturbed one, and nothing may be
# left beside it. Plain and compressed.
set -euo pipefail
program=$1 checkpoint=$2
most_kills=12
[[ -z ${3-} ]] || most_kills=6 # a round takes three times as long
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 # other tests look for them
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
seed=${RANDOM_SEED:-$RANDOM}
RANDOM=$seed
echo "seed $seed"
export LEYDEN_ISA=scalar # slow, so that there are many moments

convert() { "$program" convert --in "$checkpoint" --recipe int4 --out "$place/out" "$@"; }
# killed MOST_MILLISECONDS ARGS...: fails if the conversion was faster.
killed() {
  local milliseconds
  milliseconds=$(printf '%04d' $((RANDOM % $1)))
  "$program" convert --in "$checkpoint" --recipe int4 --out "$place/out" "${@:2}" >"$place/log" &
  local job=$!
  sleep "${milliseconds:0:1}.${milliseconds:1}"
  kill -9 "$job" 2>/dev/null || return 1
  wait "$job" 2>/dev/null || true
  [[ ! -e $place/out ]]
}
nothing_left() {
  if [[ -n $(ls -A "$place") ]]; then
    echo "left behind: $(ls -A "$place")"
    exit 1
  fi
}

resumed=0
for flags in "" --compress; do
  begin=$(date +%s%N)
  # shellcheck disable=SC2086
  convert $flags -t 2 >"$place/log"
  whole_ms=$((($(date +%s%N) - begin) / 1000000))
  mv "$place/out" "$place/whole"
  kills=0
  for ((round = 0; kills < most_kills && round < 2 * most_kills; ++round)); do
    # Now and then with another number of threads.
    # shellcheck disable=SC2086
    if killed $((whole_ms / 3 + 5)) --resume $flags -t $((1 + RANDOM % 3)); then
      kills=$((kills + 1))
      continue
    fi
    rm -f "$place/out"
  done
  # shellcheck disable=SC2086
  convert --resume $flags >"$place/log"
  cat "$place/log"
  if grep -q "were there already and fit their checksums" "$place/log"; then resumed=$((resumed + 1)); fi
  echo "killed $kills times${flags:+, }$flags"
  cmp "$place/whole" "$place/out"
  "$program" inspect "$place/out" --verify | tail -n 1
  rm "$place/whole" "$place/out" "$place/log"
  nothing_left
done
((resumed > 0)) || { echo "no conversion went on with what was there"; exit 1; }
((kills >= most_kills / 2)) || { echo "too few kills to mean anything"; exit 1; }

# Other options don't throw away what is done: they are refused, with what differs.
killed_in_the_middle() { # ARGS...
  LEYDEN_ISA=scalar "$program" convert --in "$checkpoint" --out "$place/out" --resume -t 1 "$@" >"$place/log" &
  local job=$!
  while [[ $(stat -c %s "$place/out.partial.journal" 2>/dev/null || echo 0) -lt 200 ]]; do sleep 0.005; done
  kill -9 "$job"
  wait "$job" 2>/dev/null || true
}
refused_for() { # REASON ARGS...
  local status=0
  "$program" convert --in "$checkpoint" --out "$place/out" --resume "${@:2}" >/dev/null 2>"$place/error" || status=$?
  [[ $status == 1 ]] && grep -qF "differs in: $1. Nothing was changed" "$place/error" || {
    echo "status $status, not refused for $1: $(<"$place/error")"
    exit 1
  }
}
killed_in_the_middle --recipe int4
before=$(cat "$place/out.partial" "$place/out.partial.journal" | sha256sum)
refused_for "the recipe"
refused_for "compression" --recipe int4 --compress
[[ $before == $(cat "$place/out.partial" "$place/out.partial.journal" | sha256sum) ]] || {
  echo "a refused conversion changed what was there"
  exit 1
}
convert --resume | grep -q "were there already and fit their checksums"
rm "$place/out" "$place/log" "$place/error"
nothing_left

# Without --resume a killed conversion leaves NAME.partial and its journal, which the next one takes
# over and begins anew, whatever lies in them.
for _ in 1 2 3; do
  killed 400 || rm -f "$place/out"
done
rm -f "$place/log"
for left in "$place"/*; do
  [[ ! -e $left || $left == "$place/out.partial" || $left == "$place/out.partial.journal" ]] || {
    echo "left behind: $left"
    exit 1
  }
done
unset LEYDEN_ISA
convert | grep -v "were there already" >"$place/log"
rm "$place/log"
mv "$place/out" "$place/first"
nothing_beside=$(ls -A "$place")
[[ $nothing_beside == first ]] || { echo "left behind: $nothing_beside"; exit 1; }
convert >/dev/null
cmp "$place/first" "$place/out"
rm "$place/out"

# One whose NAME.partial was removed ends with a sentence, and leaves that of the one begun anew.
begun() { # LOG ARGS...: job, stopped in the middle
  LEYDEN_ISA=scalar "$program" convert --in "$checkpoint" --recipe int4 --out "$place/out" -t 1 \
    "${@:2}" >"$1" 2>&1 &
  job=$!
  while [[ ! -s $place/out.partial.journal ]]; do sleep 0.005; done
  kill -STOP "$job"
}
begun "$place/log"
loser=$job
rm "$place/out.partial" "$place/out.partial.journal"
begun "$place/error" --resume
status=0
kill -CONT "$loser"
wait "$loser" || status=$?
[[ $status == 1 ]] && grep -q "out.partial was removed or replaced meanwhile" "$place/log" || {
  echo "status $status after its file was removed: $(<"$place/log")"
  kill -9 "$job"
  exit 1
}
kill -CONT "$job"
wait "$job"
cmp "$place/first" "$place/out"
rm "$place/first" "$place/out" "$place/log" "$place/error"
nothing_left

# Ctrl-C ends it like an error: nothing is left, or with --resume the finished part.
interrupted() { # ARGS...
  env --default-signal=INT LEYDEN_ISA=scalar "$program" convert --in "$checkpoint" --recipe int4 \
    --out "$place/out" -t 1 "$@" >"$place/log" 2>&1 &
  local job=$! status=0
  while [[ ! -s $place/out.partial.journal ]]; do sleep 0.005; done
  kill -INT "$job"
  wait "$job" || status=$?
  [[ $status == 130 ]] || { echo "exit status $status after Ctrl-C: $(<"$place/log")"; exit 1; }
  rm "$place/log"
}
interrupted
nothing_left
interrupted --resume
[[ -s $place/out.partial && -s $place/out.partial.journal ]] || { echo "nothing is kept"; exit 1; }
convert --resume | grep -q "were there already and fit their checksums"
rm "$place/out"

# A disk that is too small: a sentence and nothing else.
status=0
(
  trap '' XFSZ
  ulimit -f 1000
  convert >/dev/null 2>"$place/error"
) || status=$?
grep -q "can't reserve .* bytes: File too large" "$place/error"
rm "$place/error"
[[ $status == 1 ]] || { echo "exit status $status"; exit 1; }
nothing_left
