#!/usr/bin/env bash
# All tests: sets everything up; then the specs plain and again with the sanitizers, what
# has threads with the thread sanitizer, the main job under valgrind, the checkers of the
# sources, and the fuzzers.
#
# usage: scripts/test.sh [--quick | --full] [SPEC FILES OR FOLDERS]
#   --quick  the specs only, without sanitizers, valgrind, checkers and fuzzers, and without the
#            random schedules and the soak (scripts/test/not_quick)
#   --full   also what takes long: chaos with many seeds, the long soak, the Debian package
#            in a clean Debian 12, the rock, and ten times the time for the fuzzers
# WINGMAN_TEST_JOBS: how many spec files run at a time (seven for each core: they mostly wait)
# WINGMAN_FUZZ_SECONDS: how long all fuzzers together take, on one core (100)
set -eu
cd "$(dirname "$0")/.."

extent=usual
while [ $# -gt 0 ]; do
  case $1 in
    --quick) extent=quick ;;
    --full) extent=full ;;
    --help) sed -n '2,/^set/s/^# \{0,1\}//p' scripts/test.sh && exit 0 ;;
    -*) echo "test.sh: '$1' is no option; see --help" >&2 && exit 2 ;;
    *) break ;;
  esac
  shift
done
for place; do
  if [ ! -e "$place" ]; then echo "test.sh: there is no '$place'" >&2 && exit 2; fi
done
. scripts/setup.sh
setup test
if [ $extent = full ]; then setup_packaging; fi
setup_server
setup_luajit
setup_prometheus

# list_specs FILES: the spec files among them, which may be folders; those of
# scripts/test/longest first, so that none of them is left to run alone at the end. That
# list is kept by hand: `sort -t '	' -k 6nr build/specs/results` shows what took long.
list_specs() {
  find "$@" -name '*_spec.lua' | sort | awk 'FILENAME != "-" { rank[$1] = FNR; next } { print ($1 in rank ? rank[$1] : 1000), $1 }' \
    scripts/test/longest - | sort -k1,1n -s | cut -d ' ' -f 2
}

# list_without LIST FILES: the same; all specs, if none are named, without those of scripts/test/LIST.
# - plain_only: files that try code in Lua, and of the core no line that no other spec runs with the
#   sanitizers (by gcov: 16,193 lines with them and without them; the hub of the Minetest mod came later).
# - not_quick: a quarter of the CPU time of all plain specs.
list_without() {
  local list=$1
  shift
  if [ $# -gt 0 ]; then
    list_specs "$@"
  else
    list_specs spec | { grep -vxFf "scripts/test/$list" || :; }
  fi
}

# run_jobs N: reads jobs, one a line, and runs at most N of them at a time, each when its turn has come
# (scripts/test/turn.sh): `spec plain FILE` is scripts/test/spec.sh with those arguments. A job that is killed ends no other.
run_jobs() {
  tee -a build/specs/jobs | xargs -r -L 1 -P "$1" sh -c 'bash scripts/test/turn.sh; bash "scripts/test/$0.sh" "$@" || :'
}

# How long a fuzzer takes, in shares: those of one parser reach what they find in a few
# seconds, those of a state machine find more as long as they run.
shares() {
  case $1 in
    batcher_fuzz | sim_session_fuzz) echo 4 ;;
    op_store_fuzz | partition_map_fuzz) echo 3 ;;
    *) echo 1 ;;
  esac
}
fuzz_jobs() {
  local seconds=${WINGMAN_FUZZ_SECONDS:-100} names name total=0
  if [ $extent = full ]; then seconds=$((seconds * 10)); fi
  names=$(basename -a -s .c core/fuzz/*_fuzz.c)
  for name in $names; do total=$((total + $(shares "$name"))); done
  for name in $names; do echo "fuzz $name $((seconds * $(shares "$name") / total + 1))"; done
}

# other_tree DIRECTORY [CMAKE OPTIONS]: builds it. A job without a result, which is a failure,
# stands for a tree that cannot be built.
other_tree() {
  build "$@" && return
  echo "build $1" >>build/specs/jobs
  return 1
}

# The specs in one pool: while the plain ones run, mostly waiting, the trees for the others
# are built. `renice`: a compiler is in no hurry, a spec is.
spec_jobs() {
  if [ $extent = quick ]; then
    list_without not_quick "$@" | sed 's/^/spec plain /'
    return
  fi
  list_specs "${@:-spec}" | sed 's/^/spec plain /'
  renice -n 5 "$BASHPID" >/dev/null
  other_tree build/sanitized -DWINGMAN_SANITIZE=ON -DCMAKE_BUILD_TYPE=Debug || return 1
  list_without plain_only "$@" | sed 's/^/spec sanitized /'
  if [ $# -gt 0 ]; then return; fi
  echo "check luacheck"
  echo "check clang-format"
  echo "memcheck"
  other_tree build/threads -DWINGMAN_SANITIZE_THREADS=ON -DCMAKE_BUILD_TYPE=Debug || return 1
  echo "spec threads spec/load/workers_spec.lua"
  other_tree build/fuzz -DWINGMAN_FUZZ=ON -DCMAKE_C_COMPILER=clang-14 || return 1
}

# What takes long: one job for each.
long_jobs() {
  echo "long chaos"
  echo "long soak"
  echo "package clean_root"
  echo "package rock"
}

# Shows the log of what failed, and why a test was skipped, and counts.
passed=0 failed=0 skipped=0
fail() {
  failed=$((failed + 1))
  say "$@"
}
count_results() {
  local job log ok bad pending rest file
  while IFS='	' read -r job log ok bad pending rest; do
    passed=$((passed + ok))
    failed=$((failed + bad))
    skipped=$((skipped + pending))
    if [ "$bad" -gt 0 ]; then sed "s|^|$job: |" "$log"; fi
    if [ "$bad" -eq 0 ] && [ "$pending" -gt 0 ]; then sed -n "/^Pending/,/^\$/p; /^skipped/p" "$log"; fi
  done <build/specs/results
  # A job without a result.
  while read -r job; do
    cat "build/specs/$(tr ' /' '__' <<<"$job").log" 2>/dev/null || true
    fail "$job: ended without a result"
  done < <(cut -f 1 build/specs/results | sort | comm -13 - <(sort build/specs/jobs))
  local list
  for list in longest plain_only not_quick; do
    while read -r file; do
      if [ ! -f "$file" ]; then fail "scripts/test/$list names $file, which is not there"; fi
    done <"scripts/test/$list"
  done
}

set -o pipefail
rm -rf build/specs
mkdir -p build/specs
: >build/specs/jobs
: >build/specs/results
began=$SECONDS
cores=$(nproc)
# On two cores the plain specs took 186 s with 4 for each core, and 131 s with 7.
spec_jobs "$@" | run_jobs "${WINGMAN_TEST_JOBS:-$((7 * cores))}" || true
if [ $extent != quick ] && [ $# -eq 0 ]; then fuzz_jobs | run_jobs "$cores" || true; fi
if [ $extent = full ]; then long_jobs | run_jobs 1 || true; fi
if [ ! -s build/specs/jobs ]; then fail "no spec file was found"; fi
count_results
read -r cpu < <(awk -F '\t' '{ sum += $7 } END { print int(sum) }' build/specs/results)
echo "$((SECONDS - began)) s, $cpu s of CPU time in tests"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
