#!/usr/bin/env bash
# A checker over the files that it knows. One that read no file has checked nothing: it fails.
# usage: scripts/test/check.sh luacheck|clang-format
set -eu
. scripts/test/result.sh
failed=0
case $1 in
  luacheck)
    timed luacheck --no-color --codes --quiet lua scripts spec || failed=1
    files=$(sed -n 's/^Total: .* in \([0-9]*\) file.*/\1/p' "$log")
    ;;
  clang-format)
    timed find core scripts spec -name '*.[ch]' -exec clang-format-14 --dry-run --Werror --verbose {} + || failed=1
    files=$(grep -c '^Formatting ' "$log" || true)
    sed -i '/^Formatting /d' "$log"
    ;;
esac
if [ "${files:-0}" -eq 0 ]; then
  echo "no file was checked" >>"$log"
  failed=1
fi
report $((1 - failed)) "$failed" 0 "${files:-0} files"
