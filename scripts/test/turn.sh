#!/usr/bin/env bash
# Waits for the turn of one more job: until at most three processes for each core want to run. What is
# started beside many waits for its events longer than it expects to.
# One job waits at a time, for 2 s at most: other programs may keep the machine busy all the time.
exec 9>build/specs/turn
flock 9
most=$((3 * $(nproc)))
is_busy() {
  local name count
  while read -r name count _; do
    if [ "$name" = procs_running ]; then [ "$count" -gt "$most" ] && return; fi
  done </proc/stat
  return 1
}
SECONDS=0
while [ "$SECONDS" -lt 2 ] && is_busy; do sleep 0.1; done
sleep 0.1 # until the job that was let go before counts
