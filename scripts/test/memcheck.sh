#!/usr/bin/env bash
# The main job in valgrind's memcheck: an invalid access, or a block that is lost for good,
# is a failure. Both processes are checked, the client's and the simulated cluster's. In
# LuaJIT's interpreter, which needs no suppressions.
set -eu
. scripts/test/result.sh
failed=0
rm -f build/specs/valgrind.*
timed timeout --kill-after=10 600 valgrind --quiet --error-exitcode=99 --leak-check=full \
  --errors-for-leak-kinds=definite --show-leak-kinds=definite --num-callers=30 --trace-children=yes \
  --log-file=build/specs/valgrind.%p \
  build/wingman run spec/support/without_jit.lua scripts/quickstart.lua --rate 1000 --json || failed=1
if cat build/specs/valgrind.* 2>/dev/null | grep . >>"$log"; then failed=1; fi
report $((1 - failed)) "$failed" 0
