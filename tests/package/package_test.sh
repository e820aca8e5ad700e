#!/usr/bin/env bash
# package_test.sh BUILD_DIR SOURCE_DIR: installs the build and uses it as strangers would: the program,
# the CMake package, the pkg-config file, the Debian package.
set -euo pipefail
build=$1
source_dir=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
question="What is the capital of Norway?"

expect_oslo() {
  grep -q Oslo <<<"$2" || { echo "$1 answered '$2'"; exit 1; }
  echo "ok: $1"
}
# No model of the build or source tree may help out.
unset LEYDEN_DEMO_MODEL

prefix=$work/prefix
cmake --install "$build" --prefix "$prefix" >/dev/null
expect_oslo "installed program" "$("$prefix/bin/leyden" run --greedy -p "$question" 2>/dev/null)"

for command in leyden leyden-chat leyden-convert; do
  if ! sed 's/\\//g' "$prefix/share/man/man1/$command.1" | grep -q "^$command - [a-z]"; then
    echo "there is no man page of $command"
    exit 1
  fi
done
echo "ok: man pages"

docs=$prefix/share/doc/leyden
while IFS=: read -r page link; do
  target=${page%/*}/${link%%#*}
  [[ -e $target ]] || { echo "$page: there is no $link"; exit 1; }
done < <(grep -roP --include='*.md' '\[[^]]+\]\(\K(?!https?:|#)[^)]+(?=\))' "$docs")
echo "ok: links of the documents"

cmake -S "$source_dir/examples" -B "$work/example" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
cmake --build "$work/example" >/dev/null
expect_oslo "example by find_package" "$("$work/example/stream" "$prefix/share/leyden/demo" "$question")"

export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
read -ra flags < <(pkg-config --cflags --libs leyden)
c++ "$source_dir/examples/stream.cc" -o "$work/stream" "${flags[@]}"
expect_oslo "example by pkg-config" "$("$work/stream" "$prefix/share/leyden/demo" "$question")"

cpack --config "$build/CPackConfig.cmake" -B "$work" -D CPACK_THREADS=0 >/dev/null
deb=$(echo "$work"/leyden_*.deb)
root=$work/root
mkdir -p "$root"/usr/{bin,sbin,lib,lib64}
for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$root/$folder"; done
dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root"
dpkg-deb --field "$deb" Depends | grep -q libtbbbind
expect_oslo "Debian package" "$("$root/usr/bin/leyden" run --greedy -p "$question" 2>/dev/null)"

# A root that holds nothing but the package and what it says it depends on.
names() { tr ',' '\n' | sed 's/|.*//; s/(.*//; s/:.*//; s/ //g' | grep -v '^$'; }
declare -A seen=()
mapfile -t todo < <(dpkg-deb --field "$deb" Depends | names)
while ((${#todo[@]})); do
  package=${todo[-1]}
  unset 'todo[-1]'
  [[ -z ${seen[$package]-} ]] || continue
  seen[$package]=yes
  mapfile -t -O "${#todo[@]}" todo < <(dpkg-query -W -f '${Depends}, ${Pre-Depends}\n' "$package" 2>/dev/null | names)
  while IFS= read -r file; do
    [[ $file == *.so* && -f $file ]] || continue
    mkdir -p "$root${file%/*}"
    cp -a "$file" "$root$file"
  done < <(dpkg-query -L "$package" 2>/dev/null)
done
private=(unshare --mount)
[[ $(id -u) == 0 ]] || private+=(--map-root-user)
mkdir "$root/proc"
# in_root ARGS...: the program in that root, which has /proc and nothing else of this system.
in_root() {
  # shellcheck disable=SC2016
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "${private[@]}" sh -c \
    'mount --rbind /proc "$0/proc" && exec chroot "$0" /usr/bin/leyden "$@"' "$root" "$@"
}
if ! "${private[@]}" true 2>/dev/null; then
  echo "skipped: no change of root is allowed here, so the package isn't run in a clean one"
  exit
fi
expect_oslo "Debian package in a clean root" "$(in_root run --greedy -p "$question" 2>"$work/err" || cat "$work/err")"
expect_oslo "chat in a clean root" "$(in_root chat --greedy <<<"$question" 2>"$work/err" || cat "$work/err")"
