--- A client in a host that owns the loop. The loop belongs to the Lua state: one step
--- serves all its clients.
local loop = require "wingman.loop"

---@class wingman.client
local methods = {}

--- Works for `budget_us` microseconds (default 1000) at most, never waits, and leaves
--- the rest for the next step; see wingman.loop.
---@param budget_us number|nil
---@return boolean done  false when something is left
function methods:step(budget_us) return loop.step(budget_us) end

--- File descriptors that turn readable when a step has something to do.
---@return integer[]
function methods:fds() return loop.fds() end
--- Seconds after which a step has something to do even if no descriptor turns readable.
---@return number|nil  nil: never
function methods:timeout() return loop.timeout() end

return methods
