# Sourced by the jobs of scripts/test.sh: how a job reports. Each appends one line to
# build/specs/results: the job, its log, tests passed, failed, skipped, seconds, and
# seconds of CPU time. A job without a line was killed, which test.sh counts as a failure.
results=build/specs/results
job=$(basename "$0" .sh)${*:+ $*}
log=build/specs/$(tr ' /' '__' <<<"$job").log
TIMEFORMAT='%R %U %S' # what `time` says: seconds, of them in the process and in the kernel

# timed COMMAND: runs it, with all that it prints in the log, and sets `seconds` and
# `cpu_seconds`. Returns the command's exit code.
timed() {
  local status=0 user system
  { time "$@" >"$log" 2>&1 || status=$?; } 2>"$log.time"
  read -r seconds user system < <(tail -n 1 "$log.time")
  rm -f "$log.time"
  cpu_seconds=$(awk "BEGIN { print $user + $system }")
  return "$status"
}

# report PASSED FAILED SKIPPED [NOTE]
report() {
  printf '%s\t%s\t%d\t%d\t%d\t%s\t%s\n' "$job" "$log" "$1" "$2" "$3" "$seconds" "$cpu_seconds" >>"$results"
  # In one piece: other jobs print, too.
  local line
  printf -v line '%6.1f s %6.1f s CPU  %4d passed' "$seconds" "$cpu_seconds" "$1"
  if [ "$2" -gt 0 ]; then line+=", $2 failed"; fi
  if [ "$3" -gt 0 ]; then line+=", $3 skipped"; fi
  printf '%s  %s%s\n' "$line" "$job" "${4:+, $4}"
}
