#!/usr/bin/env bash
# How fast a checkpoint with the tensors of one MoE layer of DeepSeek-V3.2 is converted, as Markdown.
#
#     convert_bench.sh BUILD_DIR [EXPERTS [PLACE]]
#
# EXPERTS: of 256 (default 16: 1.2 GB); PLACE: where the files go (default: a temporary directory).
# Input comes from the page cache, as it was just written. LEYDEN_ISA chooses the kernels' level.
# "learning": its share of the threads' time.
set -euo pipefail
build=$1 experts=${2:-16} place=${3:-$(mktemp -d)}
[[ $# -ge 3 ]] || trap 'rm -rf "$place"' EXIT
[[ -e $place/in/config.json ]] || "$build/bench/make_checkpoint" "$place/in" "$experts" 8192 >&2
cat "$place"/in/*.safetensors >/dev/null

echo '| recipe | threads | seconds | MB/s of input | MB/s per thread | learning | resident, peak |'
echo '|---|---|---|---|---|---|---|'
bytes=$(du -cb "$place"/in/*.safetensors | tail -1 | cut -f1)
for recipe in int8 int4; do
  for threads in 1 2; do
    /usr/bin/time -f '%e %M' -o "$place/time" "$build/leyden" convert --in "$place/in" \
      --out "$place/out" --recipe "$recipe" -t "$threads" >"$place/log"
    seconds=$(sed -n 's/.* GB in \([0-9.]*\) s .*/\1/p' "$place/log")
    learning=$(sed -n 's/^learning int4 levels took \([0-9.]* %\).*/\1/p' "$place/log")
    awk -v r="$recipe" -v t="$threads" -v b="$bytes" -v s="$seconds" -v l="$learning" '{
      printf "| %s | %d | %.2f | %.0f | %.0f | %s | %.0f MB |\n", r, t, s, b / s / 1e6,
             b / s / 1e6 / t, l, $2 / 1e3 }' "$place/time"
    rm "$place/out"
  done
done
