#!/bin/sh
# A load test of eight tasks, one shard each, as a Slurm array. Tasks find their shard by
# themselves; they begin together at START.
#
#   START=$(($(date +%s) + 60)) sbatch scripts/load/slurm.sh test.lua
#   wingman report merge run-*.json --out html=run.html     # when all have ended
#SBATCH --job-name=wingman-load
#SBATCH --array=0-7
#SBATCH --cpus-per-task=1
#SBATCH --exclusive=user
#SBATCH --output=wingman-%A-%a.log
set -eu
: "${START:?the Unix time at which all tasks begin, say a minute from now}"
exec wingman run --start-at "$START" --out "json=run-{shard}.json" "$@"
