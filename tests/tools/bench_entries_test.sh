#!/bin/bash
# bench_entries_test.sh PROGRAM FILTER: every entry of a program of bench/ that FILTER names runs,
# and reports a rate and its share of a measured limit.
set -u -o pipefail
out=$("$1" --benchmark_filter="$2" --benchmark_min_time=0.001 2>/dev/null) || exit 1
entries=$(grep -E ' [num]s +[0-9.e+-]+ [num]s ' <<<"$out")
[ -n "$entries" ] || { echo "$2 names no entry of $1"; exit 1; }
without=$(grep -v -E 'G(B|MAC)/s=[0-9].* of_(cache|read|peak)_%=[0-9]' <<<"$entries")
[ -z "$without" ] || { echo "no rate and share:"; echo "$without"; exit 1; }
echo "$entries"
