--- "per-vu-iterations": `vus` users, `iterations` of each, within `max_duration`.
local loops = require "wingman.load.executor.loops"
local rules = require "wingman.load.executor.rules"

local M = {}

---@type table<string, wingman.option_rule>
M.options = { vus = rules.vus, iterations = rules.required(rules.iterations), max_duration = rules.max_duration }

--- The longest that it may take.
function M.seconds(options) return options.max_duration or rules.LONGEST_ITERATIONS end

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
