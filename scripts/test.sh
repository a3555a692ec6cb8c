#!/usr/bin/env bash
# All tests: sets everything up; then the specs, the specs again with the sanitizers,
# the main job under valgrind, what has threads with the thread sanitizer, and the fuzzers
# for WINGMAN_FUZZ_SECONDS (20) each.
#
# usage: scripts/test.sh [--quick] [SPEC FILES]
#   --quick  the specs only, without sanitizers, valgrind and fuzzers
# WINGMAN_TEST_JOBS: how many spec files run at a time (one more than there are cores)
set -eu
cd "$(dirname "$0")/.."

quick=false
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=true ;;
    --help) sed -n '2,/^set/s/^# \{0,1\}//p' scripts/test.sh && exit 0 ;;
    -*) echo "test.sh: '$1' is no option; see --help" >&2 && exit 2 ;;
    *) break ;;
  esac
  shift
done
. scripts/setup.sh
setup test
setup_server
setup_luajit
setup_prometheus

passed=0 failed=0 skipped=0
# One file in a process of its own: what it printed in $2/FILE.log, and a line on how it
# went: seconds, exit code, successes, failures, errors, pending.
spec_file() {
  local executable=$1 logs=$2 file=$3 status=0 began=$EPOCHREALTIME log counts
  log=$logs/${file//\//-}.log
  WINGMAN_EXECUTABLE=$executable timeout --kill-after=10 600 "$executable" run spec/run.lua "$file" >"$log" 2>&1 || status=$?
  counts=$(sed -n 's/^\([0-9]*\) success[a-z]* \/ \([0-9]*\) failure[a-z]* \/ \([0-9]*\) errors\{0,1\} \/ \([0-9]*\) pending.*/\1 \2 \3 \4/p' "$log" | tail -n 1)
  if [ -z "$counts" ]; then echo "the run ended early, with exit code $status" >>"$log"; fi
  set -- ${counts:-0 0 1 0}
  if [ "$status" -ne 0 ] && [ $(($2 + $3)) -eq 0 ]; then
    echo "the process ended with exit code $status" >>"$log"
    set -- "$1" 0 1 "$4"
  fi
  local us=$((${EPOCHREALTIME/./} - ${began/./}))
  printf '%s %d %d %d %d.%d\n' "$file" "$1" $(($2 + $3)) "$4" $((us / 1000000)) $((us / 100000 % 10)) >>"$logs/results"
  printf '%5d.%d s  %4d passed' $((us / 1000000)) $((us / 100000 % 10)) "$1"
  if [ $(($2 + $3)) -gt 0 ]; then printf ', %d failed' $(($2 + $3)); fi
  if [ "$4" -gt 0 ]; then printf ', %d skipped' "$4"; fi
  printf '  %s\n' "$file"
}
export -f spec_file

# The spec files among the arguments, which may be folders; those that took longest the
# last time first, so that none is left to run alone at the end.
list_specs() {
  find "$@" -name '*_spec.lua' | sort | while read -r file; do
    printf '%s %s\n' "$(sed -n "s|^$file .* ||p" build/spec_seconds 2>/dev/null | tail -n 1 | grep . || echo 9999)" "$file"
  done | sort -k1,1nr -s | cut -d ' ' -f 2
}

# specs NAME EXECUTABLE [FILES]: the spec files, some at a time (most of what they do is
# waiting); failures and skipped specs are shown whole.
specs() {
  local logs=build/specs/$1 executable=$2 file ok bad pending seconds
  shift 2
  rm -rf "$logs"
  mkdir -p "$logs"
  list_specs "${@:-spec}" | xargs -P "${WINGMAN_TEST_JOBS:-$(($(nproc) + 1))}" -I{} bash -c 'spec_file "$@"' _ "$executable" "$logs" {}
  while read -r file ok bad pending seconds; do
    passed=$((passed + ok))
    failed=$((failed + bad))
    skipped=$((skipped + pending))
    if [ "$bad" -gt 0 ]; then sed "s|^|$file: |" "$logs/${file//\//-}.log"; fi
    if [ "$bad" -eq 0 ] && [ "$pending" -gt 0 ]; then sed -n '/^Pending/,/^$/p' "$logs/${file//\//-}.log"; fi
  done <"$logs/results"
  cat "$logs/results" >>build/spec_seconds
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

# The main job in memcheck: an invalid access, or a block that is lost for good, fails.
# Both processes are checked, the client's and the simulated cluster's. In LuaJIT's
# interpreter, which needs no suppressions.
memcheck() {
  local log=build/valgrind.log
  rm -f build/valgrind.*.log
  if timeout --kill-after=10 600 valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
    --show-leak-kinds=definite --num-callers=30 --trace-children=yes --log-file=build/valgrind.%p.log \
    build/wingman run spec/support/without_jit.lua scripts/quickstart.lua --rate 1000 --json >"$log" 2>&1 &&
    ! cat build/valgrind.*.log | grep -q .; then
    passed=$((passed + 1))
    echo "no invalid access, no leak"
  else
    failed=$((failed + 1))
    cat "$log" build/valgrind.*.log >&2
    say "the main job failed under valgrind"
  fi
}

# The specs of what has threads. A race fails the process that it is found in.
races() {
  local why
  if ! why=$(build/threads/wingman version 2>&1 >/dev/null); then
    skipped=$((skipped + 1))
    echo "skipped: the thread sanitizer does not run on this kernel: $why"
    return
  fi
  rm -f build/threads/race.*
  TSAN_OPTIONS="log_path=$PWD/build/threads/race" specs threads build/threads/wingman spec/load/workers_spec.lua
  if cat build/threads/race.* 2>/dev/null; then failed=$((failed + 1)); fi
}

set -o pipefail
echo "== specs"
specs plain build/wingman "$@"
if ! $quick; then
  echo "== specs, with the address, undefined-behaviour and leak sanitizers"
  build build/sanitized -DWINGMAN_SANITIZE=ON -DCMAKE_BUILD_TYPE=Debug
  UBSAN_OPTIONS=print_stacktrace=1 specs sanitized build/sanitized/wingman "$@"
  if [ $# -eq 0 ]; then
    echo "== main job, under valgrind"
    memcheck
    echo "== threads, with the thread sanitizer"
    build build/threads -DWINGMAN_SANITIZE_THREADS=ON -DCMAKE_BUILD_TYPE=Debug
    races
    echo "== fuzzers, ${WINGMAN_FUZZ_SECONDS:-20} s"
    build build/fuzz -DWINGMAN_FUZZ=ON -DCMAKE_C_COMPILER=clang-14
    fuzz
  fi
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
