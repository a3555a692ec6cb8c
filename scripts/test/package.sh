#!/usr/bin/env bash
# A package, made and tried: the Debian package in a clean Debian 12, or the rock.
# usage: scripts/test/package.sh clean_root|rock
set -eu
. scripts/test/result.sh
if [ "$1" = clean_root ] && [ "$(id -u)" -ne 0 ]; then
  echo "skipped: the Debian package is tried in a chroot, which takes root" >"$log"
  seconds=0 cpu_seconds=0
  report 0 0 1
  exit
fi
failed=0
timed timeout --kill-after=10 3600 "scripts/package/$1.sh" || failed=1
report $((1 - failed)) "$failed" 0
