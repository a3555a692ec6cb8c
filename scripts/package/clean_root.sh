#!/usr/bin/env bash
# Tries the Debian package in a new Debian 12 that has only Debian's packages: first the
# LuaJIT that Wingman refuses is installed there, then the package, which has to replace it.
# Takes root, for chroot; the new system is in build/clean_root while this runs.
#
# usage: scripts/package/clean_root.sh    (after scripts/setup.sh has built build/)
set -eu -o pipefail
cd "$(dirname "$0")/../.."

root=$PWD/build/clean_root
rm -rf --one-file-system "$root" build/package
trap 'rm -rf --one-file-system "$root"' EXIT
cpack --config build/CPackConfig.cmake -B build/package
mmdebstrap --variant=apt bookworm "$root"
if [ -f /etc/apt/apt.conf ]; then cp /etc/apt/apt.conf "$root/etc/apt/"; fi
cp /etc/apt/apt.conf.d/* "$root/etc/apt/apt.conf.d/" # proxies, for one
cp /etc/resolv.conf "$root/etc/"
cp build/package/*.deb "$root/tmp/wingman.deb"
cp scripts/package/try.lua "$root/tmp/"
version=$(sed -n 's/^project(wingman VERSION \([^ ]*\).*/\1/p' CMakeLists.txt)

# In mount and process namespaces: what is left running ends with them.
unshare --mount --pid --fork --mount-proc="$root/proc" chroot "$root" env -i PATH="$PATH" VERSION="$version" \
  DEBIAN_FRONTEND=noninteractive bash -eux -o pipefail <<'END'
cd /tmp
install="apt-get install -y --no-install-recommends"
apt-get update
$install luajit
dpkg -s libluajit-5.1-2 | grep '^Status: install ok installed'

$install ./wingman.deb
if dpkg -s libluajit-5.1-2 | grep '^Status: install ok installed'; then exit 1; fi
[ "$(wingman --version)" = "wingman $VERSION" ]
as_user() { setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; }
[ "$(as_user wingman run try.lua)" = "$VERSION 1" ]

$install luajit2
as_user luajit -e 'require "wingman"'
[ "$(as_user luajit try.lua)" = "$VERSION 1" ]

# The old one takes the package with it: they never stand side by side.
apt-get -s install libluajit-5.1-2 | grep '^Remv wingman '
apt-get purge -y wingman
[ -z "$(find / -xdev -path /proc -prune -o -name '*wingman*' ! -name wingman.deb ! -path '/var/*' -print)" ]
END
