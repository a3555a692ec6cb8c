#!/usr/bin/env bash
# The main job: sets everything up, then imports records into a cluster while one
# of its nodes dies and comes back. Options: scripts/quickstart.sh --help
set -eu
cd "$(dirname "$0")/.."
. scripts/setup.sh
setup run
case "$* ${WINGMAN_CLUSTER:-}" in *topgun://*)
  if [ -z "${WINGMAN_TOPGUN_SERVER:-}" ]; then install_packages $(node_packages); fi
  setup_server
  ;;
esac
exec build/wingman run scripts/quickstart.lua "$@"
