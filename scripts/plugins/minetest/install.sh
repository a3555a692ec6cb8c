#!/usr/bin/env bash
# Copies the mod wingman_sync into a Minetest world, makes it a trusted mod, and sets what is
# given. What minetest.conf says otherwise stays as it is: Minetest takes one line for each
# setting, so those that are there are changed in place. A second run changes nothing.
#
# usage: scripts/plugins/minetest/install.sh WORLD MINETEST_CONF [NAME=VALUE...]
#   NAME is a setting of the mod without its prefix: seeds, server, budget, expiry, prefix;
#   the token is better written into the file than on a command line.
set -eu

fail() {
  printf 'install.sh: %s\n' "$*" >&2
  exit 2
}

[ $# -ge 2 ] || fail "a world and a minetest.conf are expected"
world=$1 conf=$2
shift 2
source=$(cd "$(dirname "$0")" && pwd)/wingman_sync
[ -d "$world" ] || fail "$world: there is no such world"

# The value of a setting; fails when it is not there.
value_of() {
  sed -n "s/^[[:space:]]*${1//./\\.}[[:space:]]*=[[:space:]]*//p" "$conf" | tail -n 1
}

has() { grep -q "^[[:space:]]*${1//./\\.}[[:space:]]*=" "$conf"; }

# Sets NAME to VALUE, in the place where it is, or at the end.
set_to() {
  local name=$1 value=$2 kept
  if ! has "$name"; then
    [ -z "$(tail -c 1 "$conf")" ] || echo >> "$conf" # the last line may have no end
    printf '%s = %s\n' "$name" "$value" >> "$conf"
    return
  fi
  kept=$(mktemp "$conf.XXXXXX")
  NAME=$name VALUE=$value awk '
    { line = $0; sub(/^[ \t]+/, "", line); key = line; sub(/[ \t]*=.*$/, "", key) }
    line ~ /=/ && key == ENVIRON["NAME"] { print ENVIRON["NAME"] " = " ENVIRON["VALUE"]; next }
    { print }' "$conf" > "$kept"
  cat "$kept" > "$conf" # keeps its owner and mode
  rm "$kept"
}

trust() {
  local mods
  mods=$(value_of secure.trusted_mods)
  case ",${mods// /}," in *,wingman_sync,*) return ;; esac
  set_to secure.trusted_mods "${mods:+$mods, }wingman_sync"
}

for pair in "$@"; do
  case $pair in
    seeds=*|server=*|budget=*|expiry=*|prefix=*) ;;
    *) fail "'$pair' is no setting: seeds, server, budget, expiry or prefix with a value is expected" ;;
  esac
done
[ -e "$conf" ] || touch "$conf"
mkdir -p "$world/worldmods"
cp -r "$source" "$world/worldmods/"
trust
for pair in "$@"; do set_to "wingman_sync.${pair%%=*}" "${pair#*=}"; done
