--- "constant-vus": `vus` users for `duration`.
local loops = require "wingman.load.executor.loops"

local M = {}

M.options = { vus = "count", duration = "duration" }
M.required = { "vus", "duration" }

function M.seconds(options) return options.duration end

--- The largest number of users.
function M.users(options) return options.vus end

function M.new(scenario)
  local options = scenario.options
  return loops.new(scenario, {
    seconds = options.duration,
    target_at = function() return options.vus end,
    allows = function() return true end,
  })
end

return M
