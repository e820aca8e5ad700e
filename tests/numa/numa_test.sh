#!/usr/bin/env bash
# numa_test.sh BUILD_DIR [NAME]: the demo model on machines of several shapes (README.md), made by qemu;
# with NAME only on those that are called so, or in part.
set -euo pipefail
build=$(readlink -f -- "$1")
only=${2-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

missing=()
command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86)
command -v busybox >/dev/null || missing+=(busybox-static)
command -v cpio >/dev/null || missing+=(cpio)
((${#missing[@]} == 0)) || bash "$root/.ci/install.sh" "${missing[@]}"
# The kernel comes from a package that is unpacked, not installed.
cache=${LEYDEN_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/leyden-numa-vm}
if ! compgen -G "$cache/vmlinuz-*-cloud-amd64" >/dev/null && [[ -z ${LEYDEN_VM_KERNEL-} ]]; then
  "$here/vm" --get-kernel >/dev/null || { bash "$root/.ci/install.sh" cpio && "$here/vm" --get-kernel >/dev/null; }
fi

checkpoint=$root/models/demo/checkpoint
prompt="What is 7 + 5?"
tokens=0
for ((i = 1; i < 72; ++i)); do tokens+=,$((i * 37 % 2000)); done
printf '[%s]' "$tokens" >"$tmp/tokens.json"
"$build/leyden" eval -m "$checkpoint" --perplexity "$tmp/tokens.json" --routing-stats "$tmp/stats.json" >/dev/null
"$build/leyden" convert --in "$checkpoint" --out "$tmp/m.leyden" --recipe int4 --routing-stats "$tmp/stats.json" >/dev/null
vm() { # vm OPTION... -- CASE...
  local options=()
  while [[ $1 != -- ]]; do options+=("$1") && shift; done
  # On a busy host the kernel's check of its timer may fail where the timer doesn't.
  "$here/vm" --timeout 300 --append no_timer_check "${options[@]}" --file "$build/leyden:/leyden" --file "$tmp/m.leyden:/m.leyden" \
    --file "$build/tests/runtime/leyden_runtime_tests:/runtime_tests" --file "$here/guest.sh:/guest.sh" \
    --file "$build/tests/numa/leyden_refusing:/refusing" --file "$tmp/text:/text" \
    -- sh /guest.sh "$hash" "$prompt" "${@:2}"
}

# What one thread on this machine computes and says, on the level the emulated CPUs have.
LEYDEN_ISA=avx2 "$build/leyden" logits -m "$tmp/m.leyden" --tokens "$tokens" --decode 4 -t 1 --json "$tmp/logits.json"
hash=$(md5sum <"$tmp/logits.json" | cut -d' ' -f1)
LEYDEN_ISA=avx2 "$build/leyden" run -m "$tmp/m.leyden" --greedy -n 24 -p "$prompt" -t 1 >"$tmp/text"

failed=0
shape() { # shape NAME OPTION... -- CASE...
  [[ $1 == *"$only"* ]] || return 0
  local start=$SECONDS
  printf -- '-- %s\n' "$1"
  vm "${@:2}" || failed=1
  printf -- '-- %d s\n' $((SECONDS - start))
}

shape "2 nodes of 2 CPUs" --nodes 2 --cpus 4 --mem 1G --file "$checkpoint:/checkpoint" \
  -- policies forms threads full small refusing
shape "4 nodes of one CPU" --nodes 4 --cpus 4 --mem 1G -- policies
shape "3 unlike nodes" --node-cpus 1,2,1 --node-mem 448M,256M,320M -- policies
shape "a node with memory alone" --node-cpus 2,2,0 --node-mem 384M,384M,384M -- policies restricted
shape "a node of CPUs alone" --node-cpus 1,1 --node-mem 512M,0 -- bare
# Pages of 2 MiB, whatever size the machine prefers.
shape "reserved huge pages" --nodes 2 --cpus 2 --mem 1G --hugepages 16 \
  --append "no_timer_check default_hugepagesz=1G" -- reserved machine
exit $failed
