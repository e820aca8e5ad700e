# install.sh PACKAGE...: the Debian packages that a stage needs beyond packages.txt.
set -euo pipefail
as_root=()
[[ $(id -u) == 0 ]] || as_root=(sudo --)
install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes \
    --no-install-recommends "$@" >/dev/null
}
install "$@" 2>/dev/null || { "${as_root[@]}" apt-get -qq update && install "$@"; }
