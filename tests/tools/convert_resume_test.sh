#!/usr/bin/env bash
# Usage: convert_resume_test.sh PROGRAM CHECKPOINT. Kills a conversion at random moments until it is
# done; the result must be that of an undisturbed one, and nothing may be left beside it.
set -euo pipefail
program=$1 checkpoint=$2
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
seed=${RANDOM_SEED:-$RANDOM}
RANDOM=$seed
echo "seed $seed"

"$program" convert --in "$checkpoint" --recipe int4 --out "$place/whole" >"$place/log"
export LEYDEN_ISA=avx2  # slower: more moments
kills=0
while ((kills < 8)); do
  "$program" convert --in "$checkpoint" --recipe int4 --out "$place/out" --resume >"$place/log" &
  job=$!
  sleep "0.$(printf '%03d' $((RANDOM % 250)))"
  kill -9 "$job" 2>/dev/null || break  # it was faster
  wait "$job" 2>/dev/null || true
  [[ ! -e $place/out ]] || break
  kills=$((kills + 1))
done
"$program" convert --in "$checkpoint" --recipe int4 --out "$place/out" --resume >"$place/log"
cat "$place/log"
echo "killed $kills times"
cmp "$place/whole" "$place/out"
"$program" inspect "$place/out" --verify
rm "$place/whole" "$place/out" "$place/log"
if [[ -n $(ls -A "$place") ]]; then
  echo "left behind: $(ls -A "$place")"
  exit 1
fi

# A disk that is too small: a sentence and nothing else.
status=0
(
  trap '' XFSZ
  ulimit -f 1000
  "$program" convert --in "$checkpoint" --recipe int4 --out "$place/out" >/dev/null 2>"$place/error"
) || status=$?
grep -q "can't reserve .* bytes: File too large" "$place/error"
rm "$place/error"
if [[ $status != 1 || -n $(ls -A "$place") ]]; then
  echo "exit status $status, left behind: $(ls -A "$place")"
  exit 1
fi
