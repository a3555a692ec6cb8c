--- Random faults on real servers while four clients write, remove and read, as in schedule_spec.lua.
package.path = "scripts/?.lua;" .. package.path
local expect_nothing_lost = require "spec.chaos.nothing_lost"
local schedule = require "chaos.schedule"
local topgun_binary = require "wingman.testbed.topgun.binary"

local seed = tonumber(os.getenv "WINGMAN_SEED") or os.time() % 1000000

describe("chaos on topgun://3:", function()
  local _, missing = topgun_binary.find()
  local run, finish = schedule.runner "topgun://3"
  teardown(finish)

  local name = "no client loses anything, seed " .. seed
  if missing then pending(("%s (skipped: %s)"):format(name, missing.message))
  else it(name, function() expect_nothing_lost(run(seed)) end) end
end)
