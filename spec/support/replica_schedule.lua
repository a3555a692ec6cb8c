--- The schedules of scripts/converge on the cluster of a spec.
package.path = "scripts/?.lua;" .. package.path
local plan_module = require "converge.plan"
local run_module = require "converge.run"
local targets = require "chaos.targets"

local M = {}

local function release_of(shared)
  if shared.is_0_11 then return "0.11" end
  return shared:is_head() and "head" or "2.2.0"
end

--- Differences that a failure shows.
local SHOWN = 5

local function assert_right(result)
  local lines = {}
  for i, d in ipairs(result.differences) do
    if i <= SHOWN then lines[i] = ("replica %d, %s: %s"):format(d.replica, d.key, d.how) end
  end
  if lines[1] then error(("seed %d: %s\n  %s"):format(result.seed, table.concat(lines, "\n  "), result.plan), 0) end
end

--- Runs the schedule of a seed; raises when a replica differs at its end, or what follows it. Faults befall simulated
--- clusters only.
---@param shared spec.shared_cluster
---@param seed integer
---@param follow converge.follow|nil
function M.run(shared, seed, follow)
  local cluster = shared.cluster
  local there = { url = shared.url, release = release_of(shared), nodes = #cluster.nodes }
  local target = targets.of(there.url, cluster)
  local plan = plan_module.of(seed, shared.is_real and {} or run_module.simulated_faults, there)
  assert_right(run_module.on(target, plan, follow))
end

return M
