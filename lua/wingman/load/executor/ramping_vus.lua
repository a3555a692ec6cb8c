--- "ramping-vus": from `start_vus` users to the target of each stage in a line. A user
--- that is too many ends its iteration first.
local loops = require "wingman.load.executor.loops"
local rules = require "wingman.load.executor.rules"

local M = {}

---@type table<string, wingman.option_rule>
M.options = {
  start_vus = { type = "number", min = 0, max = rules.MOST_VUS, about = "users at the start; default 0" },
  stages = rules.stages { type = "number", min = 0, max = rules.MOST_VUS, about = "users at its end" },
}

--- How long it takes.
function M.seconds(options) return rules.length(options.stages) end

local function target(options, seconds)
  local from = options.start_vus or 0
  for _, stage in ipairs(options.stages) do
    if seconds < stage.duration then return from + (stage.target - from) * seconds / stage.duration end
    seconds, from = seconds - stage.duration, stage.target
  end
  return from
end

--- The largest number of users.
function M.users(options)
  local most = options.start_vus or 0
  for _, stage in ipairs(options.stages) do most = math.max(most, stage.target) end
  return most
end

function M.new(scenario)
  local options = scenario.options
  local executor
  executor = loops.new(scenario, {
    seconds = M.seconds(options),
    target_at = function(self, now_us) return target(options, (now_us - self.start_us) / 1e6) end,
    allows = function() return true end,
  })
  local start = executor.start
  function executor:start(start_us)
    self.changes_until = start_us + self.seconds * 1e6
    start(self, start_us)
  end
  return executor
end

return M
