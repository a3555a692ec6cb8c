--- Refresh policies: how soon the partition map is asked for again while routes are
--- missing.
---
--- A policy is `function(requests) -> seconds`: how long after the request number
--- `requests` since the last good map the next one may follow. The first request
--- never waits.
local M = {}

---@class wingman.refresh_options
---@field first number|nil   seconds after the first request, default 0.5
---@field factor number|nil  growth, default 2
---@field max number|nil     seconds at most, default 30

--- Waits that double up to a limit.
---@param options wingman.refresh_options|nil
function M.backoff(options)
  options = options or {}
  local first, factor, max = options.first or 0.5, options.factor or 2, options.max or 30
  return function(requests) return math.min(max, first * factor ^ (requests - 1)) end
end

return M
