--- "externally-controlled": `vus` users for `duration`, steered while it runs up to
--- `max_vus`.
local loops = require "wingman.load.executor.loops"
local rules = require "wingman.load.executor.rules"

local M = {}

---@type table<string, wingman.option_rule>
M.options = {
  vus = { type = "number", min = 0, max = rules.MOST_VUS, about = "users at the start; default 0" },
  max_vus = rules.max_vus, duration = rules.required(rules.duration),
}

function M.seconds(options) return options.duration end

--- The largest number of users.
function M.users(options) return options.max_vus or options.vus or 0 end

function M.new(scenario)
  local options = scenario.options
  local executor = loops.new(scenario, {
    seconds = options.duration,
    wanted = options.vus or 0,
    target_at = function(self) return self.wanted end,
    allows = function() return true end,
  })
  --- Steering: so many users from now on, in the whole test. True, or nil and why not.
  function executor:set_vus(count)
    local most = options.max_vus or math.huge
    if count > most then return nil, ("max_vus is %d"):format(most) end
    self.wanted = count
    self:follow_target()
    return true
  end
  return executor
end

return M
