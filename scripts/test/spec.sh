#!/usr/bin/env bash
# One spec file, in a process of its own.
# usage: scripts/test/spec.sh plain|sanitized|threads FILE
set -eu
. scripts/test/result.sh
tree=$1 file=$2
case $tree in
  plain) executable=build/wingman ;;
  sanitized) executable=build/sanitized/wingman ;;
  threads) executable=build/threads/wingman ;;
esac
races=$PWD/build/specs/race # the thread sanitizer appends the process id
export WINGMAN_EXECUTABLE=$executable UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=log_path=$races

if [ "$tree" = threads ] && ! timed "$executable" version; then
  echo "skipped: the thread sanitizer does not run on this kernel" >>"$log"
  report 0 0 1
  exit
fi

status=0
timed timeout --kill-after=10 900 "$executable" run spec/run.lua "$file" || status=$?
counts=$(sed -n 's/^\([0-9]*\) success[a-z]* \/ \([0-9]*\) failure[a-z]* \/ \([0-9]*\) errors\{0,1\} \/ \([0-9]*\) pending.*/\1 \2 \3 \4/p' "$log" | tail -n 1)
if [ -z "$counts" ]; then echo "the run ended early, with exit code $status" >>"$log"; fi
read -r passed failures errors skipped <<<"${counts:-0 0 1 0}"
failed=$((failures + errors))
if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
  echo "the process ended with exit code $status" >>"$log"
  failed=1
fi
# A file that declares nothing tests nothing; one whose tests are all skipped says so by name.
if [ $((passed + failed + skipped)) -eq 0 ]; then
  echo "no test ran in this file, and none was skipped" >>"$log"
  failed=1
fi
if [ "$tree" = threads ] && cat "$races".* >>"$log" 2>/dev/null; then failed=$((failed + 1)); fi
report "$passed" "$failed" "$skipped"
