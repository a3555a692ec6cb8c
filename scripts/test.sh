#!/usr/bin/env bash
# All tests: sets everything up; then the specs, the specs again with the sanitizers,
# and the fuzzers for WINGMAN_FUZZ_SECONDS (20) each.
#
# usage: scripts/test.sh [--quick] [SPEC FILES]
#   --quick  the specs only, without sanitizers and fuzzers
set -eu
cd "$(dirname "$0")/.."
. scripts/setup.sh

quick=false
if [ "${1:-}" = --quick ]; then
  quick=true
  shift
fi
setup test
setup_server
setup_prometheus

passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# specs EXECUTABLE [FILES]: one run of busted, counted.
specs() {
  local status=0 counts
  WINGMAN_EXECUTABLE=$1 timeout --kill-after=10 600 "$1" run spec/run.lua "${@:2}" 2>&1 | tee "$log" || status=$?
  counts=$(sed -n 's/^\([0-9]*\) success[a-z]* \/ \([0-9]*\) failure[a-z]* \/ \([0-9]*\) errors\{0,1\} \/ \([0-9]*\) pending.*/\1 \2 \3 \4/p' "$log" | tail -n 1)
  if [ -z "$counts" ]; then
    say "the run of the specs ended early (exit code $status)"
    failed=$((failed + 1))
    return
  fi
  set -- $counts
  passed=$((passed + $1))
  failed=$((failed + $2 + $3))
  skipped=$((skipped + $4))
  if [ "$status" -ne 0 ] && [ $(($2 + $3)) -eq 0 ]; then
    say "the specs passed, but the process ended with exit code $status"
    failed=$((failed + 1))
  fi
}

# Each fuzzer on its committed corpus; what it finds new stays out of the tree.
fuzz() {
  local seconds=${WINGMAN_FUZZ_SECONDS:-20} name target pids=() names=()
  for target in core/fuzz/*_fuzz.c; do
    name=$(basename "$target" .c)
    mkdir -p "build/fuzz/new/$name"
    timeout --kill-after=10 $((seconds + 120)) "build/fuzz/fuzz/$name" -max_total_time="$seconds" -print_final_stats=1 \
      -artifact_prefix="build/fuzz/$name-" "build/fuzz/new/$name" "core/fuzz/corpus/${name%_fuzz}" \
      >"build/fuzz/$name.log" 2>&1 &
    pids+=($!)
    names+=("$name")
  done
  for i in "${!pids[@]}"; do
    name=${names[$i]}
    if wait "${pids[$i]}"; then
      passed=$((passed + 1))
      printf '%-20s %s executions\n' "$name" "$(sed -n 's/^stat::number_of_executed_units: *//p' "build/fuzz/$name.log")"
    else
      failed=$((failed + 1))
      tail -n 40 "build/fuzz/$name.log"
      say "$name failed; the input is build/fuzz/$name-*"
    fi
  done
}

set -o pipefail
echo "== specs"
specs build/wingman "$@"
if ! $quick; then
  echo "== specs, with the address, undefined-behaviour and leak sanitizers"
  build build/sanitized -DWINGMAN_SANITIZE=ON -DCMAKE_BUILD_TYPE=Debug
  UBSAN_OPTIONS=print_stacktrace=1 specs build/sanitized/wingman "$@"
  if [ $# -eq 0 ]; then
    echo "== fuzzers, ${WINGMAN_FUZZ_SECONDS:-20} s"
    build build/fuzz -DWINGMAN_FUZZ=ON -DCMAKE_C_COMPILER=clang-14
    fuzz
  fi
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
