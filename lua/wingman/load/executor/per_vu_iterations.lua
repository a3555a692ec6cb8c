--- "per-vu-iterations": `vus` users, `iterations` of each, within `max_duration`.
local loops = require "wingman.load.executor.loops"

local M = {}

M.options = { vus = "count", iterations = "count", max_duration = "duration" }
M.required = { "iterations" }

--- The longest that it may take.
function M.seconds(options) return options.max_duration or 600 end

--- The largest number of users.
function M.users(options) return options.vus or 1 end

function M.new(scenario)
  local options = scenario.options
  return loops.new(scenario, {
    max_seconds = M.seconds(options),
    target_at = function() return options.vus or 1 end,
    allows = function(_, vu) return vu.iteration < options.iterations end,
  })
end

return M
