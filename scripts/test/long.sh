#!/usr/bin/env bash
# What takes too long for every change.
# usage: scripts/test/long.sh chaos|soak
set -eu
. scripts/test/result.sh
case $1 in
  chaos) command="run scripts/chaos.lua --schedules 200" ;; # seeds by the clock; a failure prints its seed
  soak) command="run scripts/soak.lua" ;;
esac
failed=0
timed timeout --kill-after=10 7200 build/wingman $command || failed=1
tail -n 15 "$log"
report $((1 - failed)) "$failed" 0
