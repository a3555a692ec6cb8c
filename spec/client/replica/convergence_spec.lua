--- Replicas under random schedules: one to four clients write, one to three follow, nodes and connections fail, and after
--- quiet each replica is what the nodes hold, byte by byte. A failure prints its seed; WINGMAN_SEED=N replays it, and so does
--- `wingman run scripts/converge.lua --seed N`, which runs more of them.
package.path = "scripts/?.lua;" .. package.path
local build = require "spec.support.build"
local pool = require "chaos.pool"
local run_module = require "converge.run"
local topgun_binary = require "wingman.testbed.topgun.binary"

local replayed = tonumber(os.getenv "WINGMAN_SEED")
local first = replayed or os.time() % 1000000 + 1
-- Each waits most of the time. With the sanitizers a client takes five times as long.
local COUNT = replayed and 1 or build.is_sanitized and 40 or 160
local JOBS = build.is_sanitized and 6 or 16

-- What is wrong with the schedules of `count` seeds, one line each.
local function failures(url, count, jobs)
  local run, finish = run_module.runner(url)
  local lines, taken = {}, 0
  local function next_seed()
    taken = taken + 1
    return taken <= count and first + taken - 1 or nil
  end
  pool.start(jobs, next_seed, run, function(seed, result, err)
    if not result then lines[#lines + 1] = ("seed %d: %s"):format(seed, err) end
    for _, d in ipairs(result and result.differences or {}) do
      lines[#lines + 1] = ("seed %d, replica %d, %s: %s; %s"):format(seed, d.replica, d.key, d.how, result.plan)
    end
  end):join()
  finish()
  return table.concat(lines, "\n")
end

describe("replicas, after quiet, are what the nodes hold:", function()
  it(("simulated clusters, %d schedules from seed %d"):format(COUNT, first), function() assert.equal("", failures(nil, COUNT, JOBS)) end)

  local _, missing = topgun_binary.find()
  local name = "topgun://3, the schedule of seed " .. first
  if missing then pending(("%s (skipped: %s)"):format(name, missing.message))
  else it(name, function() assert.equal("", failures("topgun://3", 1, 1)) end) end
end)
