# Sourced by quickstart.sh and test.sh: what they need on a fresh Debian 12
# machine. A second run finds everything there and says nothing.
#
#   setup run     to build and run Wingman
#   setup test    also to test it
#   setup_packaging  what tries the packages (scripts/package)
#   setup_server  the real TopGun server, an npm package, below build/topgun
#   setup_luajit  Debian's luajit, which Wingman refuses, below build/luajit
#   setup_prometheus  Debian's prometheus, below build/prometheus unless it is installed

runtime_packages="cmake make pkg-config libuv1-dev libluajit2-5.1-dev
  libedit-dev lua-cjson libxxhash-dev libssl-dev iso-codes"
test_packages="luajit2 lua-busted lua-dkjson lua-messagepack libmsgpack-dev clang-14 clang-format-14 libclang-rt-14-dev socat valgrind openssl
  libxml2-utils chromium tmux openmpi-bin lua5.1 lua-luv lua-check minetest-server"
packaging_packages="mmdebstrap luarocks"

say() { printf '%s\n' "$*" >&2; }

# Runs a command quietly; its output is shown when it fails.
quietly() {
  local log status=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 || status=$?
  if [ "$status" -ne 0 ]; then
    tail -n 30 "$log" >&2
    say "failed ($status): $*"
  fi
  rm -f "$log"
  return "$status"
}

missing_packages() {
  local package
  for package in "$@"; do
    case $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true) in
      installed) ;;
      *) printf '%s ' "$package" ;;
    esac
  done
}

# Node may be there without Debian's packages, which would not go with it.
node_packages() {
  if ! command -v npm >/dev/null; then echo nodejs npm; fi
}

install_packages() {
  if ! command -v dpkg-query >/dev/null; then return 0; fi # not Debian: cmake says what it does not find
  local missing root=""
  missing=$(missing_packages "$@")
  if [ -z "$missing" ]; then return 0; fi
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      root="sudo -n"
    else
      say "Packages are missing, and installing them takes root. As root:"
      say "  apt-get update && apt-get install --no-install-recommends ${missing% }"
      return 1
    fi
  fi
  say "installing ${missing% }"
  quietly $root env DEBIAN_FRONTEND=noninteractive apt-get update &&
    quietly $root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
}

# has_options DIRECTORY [CMAKE OPTIONS]: whether the tree was configured with them. Of one whose
# cache was removed, or that was copied, a Makefile says nothing.
has_options() {
  local tree=$1 option
  shift
  for option; do
    option=${option#-D}
    grep -qsE "^${option%%=*}:[A-Z]+=(.*/)?${option#*=}\$" "$tree/CMakeCache.txt" || return 1
  done
}

# build DIRECTORY [CMAKE OPTIONS]: configures once, then builds what changed.
build() {
  local tree=$1
  shift
  if [ ! -f "$tree/Makefile" ] || ! has_options "$tree" "$@"; then
    say "configuring and building $tree"
    quietly cmake -S . -B "$tree" "$@" || return 1
  fi
  quietly cmake --build "$tree" --parallel "$(nproc)"
}

setup() {
  if [ "$1" = test ]; then
    install_packages $runtime_packages $test_packages $(node_packages) || return 1
  else
    install_packages $runtime_packages || return 1
  fi
  build build
}

setup_packaging() { install_packages $packaging_packages; }

# Pinned by spec/topgun/package-lock.json. Without it the specs that need it are
# skipped, by name; so a failure here is reported and is not the end.
setup_server() {
  if [ -n "${WINGMAN_TOPGUN_SERVER:-}" ]; then return 0; fi
  local lock=build/topgun/package-lock.json
  if cmp -s spec/topgun/package-lock.json "$lock" && [ -d build/topgun/node_modules ]; then return 0; fi
  if ! command -v npm >/dev/null; then
    say "npm is not installed: no real TopGun server"
    return 0
  fi
  say "installing the TopGun server (npm package @topgunbuild/server-linux-x64)"
  mkdir -p build/topgun
  cp spec/topgun/package.json build/topgun/
  if ! (cd build/topgun && cp ../../spec/topgun/package-lock.json . && quietly npm ci --no-audit --no-fund); then
    rm -rf build/topgun
    say "the TopGun server could not be installed; specs about it will be skipped"
  fi
}

# Not installed: the package is in the way of luajit2. Without it the spec that needs it is
# skipped, by name.
setup_luajit() {
  if [ -x build/luajit/usr/bin/luajit ]; then return 0; fi
  if ! command -v dpkg-deb >/dev/null; then return 0; fi
  say "fetching Debian's package luajit"
  mkdir -p build/luajit
  if ! (cd build/luajit && quietly apt-get download luajit libluajit-5.1-2 libluajit-5.1-common &&
    for package in *.deb; do quietly dpkg-deb -x "$package" . || exit 1; done); then
    rm -rf build/luajit
    say "luajit could not be had; the spec about it will be skipped"
  fi
}

# Only the program: installing the package would start a service. Without it the specs
# that need it are skipped, by name.
setup_prometheus() {
  if command -v prometheus >/dev/null || [ -x build/prometheus/usr/bin/prometheus ]; then return 0; fi
  if ! command -v dpkg-deb >/dev/null; then return 0; fi
  say "fetching Debian's package prometheus"
  mkdir -p build/prometheus
  if ! (cd build/prometheus && quietly apt-get download prometheus && quietly dpkg-deb -x prometheus_*.deb .); then
    rm -rf build/prometheus
    say "prometheus could not be had; specs about it will be skipped"
  fi
}
