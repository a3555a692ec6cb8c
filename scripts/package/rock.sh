#!/usr/bin/env bash
# Builds the rock from a copy of this tree with `luarocks make`, offline, and tries it.
#
# usage: scripts/package/rock.sh
set -eu -o pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/source"
git ls-files -z | tar --null --files-from - --create | tar --extract --directory "$work/source"
try=$PWD/scripts/package/try.lua
version=$(sed -n 's/^project(wingman VERSION \([^ ]*\).*/\1/p' CMakeLists.txt)

cd "$work/source"
export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}
luarocks --lua-version 5.1 --tree "$work/tree" make --deps-mode none
cd /
set -x
[ "$("$work/tree/bin/wingman" run "$try")" = "$version 1" ]
eval "$(luarocks --lua-version 5.1 --tree "$work/tree" path)"
[ "$(luajit "$try")" = "$version 1" ]
[ "$(luajit -e 'print(require("wingman.core").path)')" = "$work/tree/lib/lua/5.1/wingman/core.so" ]
