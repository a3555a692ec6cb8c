--- "constant-vus": `vus` users for `duration`.
local loops = require "wingman.load.executor.loops"
local rules = require "wingman.load.executor.rules"

local M = {}

---@type table<string, wingman.option_rule>
M.options = { vus = rules.required(rules.vus), duration = rules.required(rules.duration) }

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
