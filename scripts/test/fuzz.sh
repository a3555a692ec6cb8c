#!/usr/bin/env bash
# One fuzzer, from its committed corpus; what it finds new stays out of the tree.
# usage: scripts/test/fuzz.sh NAME SECONDS
set -eu
. scripts/test/result.sh
name=$1 limit=$2
new=build/fuzz/new/$name
failed=0
mkdir -p "$new"
timed timeout --kill-after=10 $((limit + 120)) "build/fuzz/fuzz/$name" -max_total_time="$limit" -print_final_stats=1 \
  -artifact_prefix="build/fuzz/$name-" "$new" "core/fuzz/corpus/${name%_fuzz}" || failed=1
if [ "$failed" -ne 0 ]; then echo "$name failed; the input is build/fuzz/$name-*" >>"$log"; fi
executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
report $((1 - failed)) "$failed" 0 "${executions:-0} executions"
