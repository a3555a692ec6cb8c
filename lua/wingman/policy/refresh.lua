--- Refresh policies: how soon the partition map is asked for again while routes are
--- missing.
---
--- A policy is `function(requests) -> seconds`: how long after the request number
--- `requests` since the last good map the next one may follow. The first request
--- never waits.
local check_options = require("wingman.options.check").check

local M = {}

--- The settings of `backoff`.
---@type table<string, wingman.option_rule>
M.options = {
  first = { type = "duration", default = 0.5, min = 0, about = "wait after the first request" },
  factor = { type = "number", default = 2, min = 1, max = 100, about = "growth of the wait" },
  max = { type = "duration", default = 30, min = 0, about = "the longest wait" },
}

--- Waits that double up to a limit.
---@param options wingman.refresh_options|nil
function M.backoff(options)
  local checked = check_options(M.options, options == nil and {} or options, "backoff", 2)
  local first, factor, max = checked.first, checked.factor, checked.max
  return function(requests) return math.min(max, first * factor ^ (requests - 1)) end
end

return M
