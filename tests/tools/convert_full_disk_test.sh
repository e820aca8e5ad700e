#!/usr/bin/env bash
# Usage: convert_full_disk_test.sh PROGRAM CHECKPOINT. A disk that fills up while a conversion writes:
# a sentence and nothing else is left, or with --resume the finished part, which is gone on with.
set -euo pipefail
program=$1 checkpoint=$2
# A mount namespace of its own, so that a small file system can be mounted.
if [[ ${IN_NAMESPACE-} != yes ]]; then
  maybe_user=()
  [[ $(id -u) == 0 ]] || maybe_user=(--map-root-user)
  if ! unshare --mount "${maybe_user[@]}" mount -t tmpfs tmpfs /mnt 2>/dev/null; then
    echo "skipped: no small tmpfs can be mounted here, so the full disk isn't tested"
    exit 0
  fi
  IN_NAMESPACE=yes exec unshare --mount "${maybe_user[@]}" bash "$0" "$@"
fi
work=$(mktemp -d)
trap 'umount "$work/disk" 2>/dev/null; rm -rf "$work"' EXIT
mkdir "$work/disk"
mount -t tmpfs -o size=3m tmpfs "$work/disk"

fail() {
  echo "$1"
  echo "output: $(<"$work/out"), errors: $(<"$work/err"), files: $(ls -l "$work/disk")"
  exit 1
}
convert() {
  status=0
  "$program" convert --in "$checkpoint" --recipe int4 --out "$work/disk/x.leyden" "$@" \
    >"$work/out" 2>"$work/err" || status=$?
}
refused() {
  [[ $status == 1 ]] || fail "exit status $status"
  grep -q "^leyden: $work/disk/x.leyden.*No space left on device" "$work/err" || fail "no sentence"
  [[ $(wc -l <"$work/err") == 1 ]] || fail "more than a sentence"
}
is_empty() { [[ -z $(ls -A "$work/disk") ]] || fail "something is left"; }

# Plain containers reserve their space, so they are refused before anything is done.
for flags in "" --resume; do
  # shellcheck disable=SC2086
  convert $flags
  refused
  is_empty
done
# Index and journal count too. The sizes are the smallest on which nothing is missed, and a page less.
mount -o remount,size=50m "$work/disk"
convert
[[ $status == 0 ]] || fail "exit status $status"
pages=$((($(stat -c %s "$work/disk/x.leyden") + 4095) / 4096))
rm "$work/disk/x.leyden"
for ((more = 0; more < 20; ++more)); do
  mount -o remount,size=$(((pages + more) * 4))k "$work/disk"
  convert
  [[ $status != 0 ]] || break
  refused
  grep -q "can't reserve" "$work/err" || fail "met only on the way"
  is_empty
done
[[ $status == 0 ]] || fail "no size is enough"
echo "a container of $pages pages needed $more more"
rm "$work/disk/x.leyden"
mount -o remount,size=3m "$work/disk"
# The size of compressed ones isn't known before.
convert --compress
refused
is_empty
convert --compress --resume
refused
[[ -s $work/disk/x.leyden.partial && -s $work/disk/x.leyden.partial.journal ]] || fail "nothing is kept"
[[ ! -e $work/disk/x.leyden ]] || fail "there is an unfinished container"
# Still full: what is there stays.
kept=$(stat -c %s "$work/disk/x.leyden.partial.journal")
convert --compress --resume
refused
[[ $(stat -c %s "$work/disk/x.leyden.partial.journal") -ge $kept ]] || fail "less is kept"
mount -o remount,size=50m "$work/disk"
convert --compress --resume
[[ $status == 0 ]] || fail "exit status $status"
grep -q "were there already and fit their checksums" "$work/out" || fail "it began anew"
mv "$work/disk/x.leyden" "$work/resumed"
is_empty
convert --compress
cmp "$work/resumed" "$work/disk/x.leyden" || fail "the resumed container differs"
"$program" inspect --verify "$work/resumed" >"$work/out"
echo "$(tail -n 1 "$work/out")"
