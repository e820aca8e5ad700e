#!/usr/bin/env bash
# Usage: convert_memory_test.sh PROGRAM MAKE_CHECKPOINT [EXPERTS [VOCABULARY [PLACE]]]
# Converts a checkpoint whose largest tensor is far larger than the memory allowed: first with
# little address space, then in a memory cgroup, where there is one that may be used.
# By default 1.9 GB with an embedding of 0.5 GB; "256 129280" is a whole MoE layer of V3.2, 15 GB.
set -euo pipefail
program=$1 make_checkpoint=$2 experts=${3:-16} vocabulary=${4:-32768}
work=$(mktemp -d ${5:+-p "$5"})
group=/sys/fs/cgroup/memory/leyden-test-$$
trap 'rm -rf "$work"; rmdir "$group" 2>/dev/null || true' EXIT
# A matrix rarely ends at a whole MiB of its stack: that MiB is kept until its neighbour is there,
# too, and some checkpoints have experts in the order 0, 1, 10, 100, 101, ...
for_experts=$((3 * experts))
megabytes=$((300 + for_experts)) # of address space: libraries, stacks and heaps of the threads

"$make_checkpoint" "$work/in" "$experts" "$vocabulary" --sparse
convert() {
  /usr/bin/time -f '%M' -o "$work/peak" "$program" convert --in "$work/in" --out "$work/out" \
    --recipe int4 -t 2 "$@" >"$work/log"
  peak=$(tail -n 1 "$work/peak")
}
summary() { sed -n 's/^.*: \(.* s (.*\), fingerprint.*/\1/p' "$work/log"; }
(
  ulimit -v $((megabytes * 1024))
  convert
  echo "ulimit -v ${megabytes} MB: $(summary), peak resident $((peak / 1024)) MB"
)
fingerprint=$(sed -n 's/.*fingerprint //p' "$work/log")
rm "$work/out"

megabytes=$((64 + for_experts)) # of memory, page cache included
if ! mkdir "$group" 2>/dev/null || ! echo $((megabytes * 1024 * 1024)) 2>/dev/null >"$group/memory.limit_in_bytes"; then
  echo "skipped: no memory cgroup (version 1) can be made here"
  exit 0
fi
(
  echo "$BASHPID" >"$group/cgroup.procs"
  convert --report "$work/report.json"
  echo "cgroup of ${megabytes} MB: $(summary), peak resident $((peak / 1024)) MB"
)
[[ $(sed -n 's/.*fingerprint //p' "$work/log") == "$fingerprint" ]] || {
  echo "another fingerprint: $(<"$work/log")"
  exit 1
}
