--- A client in a host that owns the loop. The loop belongs to the Lua state: one step
--- serves all its clients.
local loop = require "wingman.loop"
local starving = require "wingman.client.health.starving"
local warnings = require "wingman.client.health.warnings"

---@class wingman.client
local methods = {}

--- Runs one bounded turn of the loop: see wingman.step.
---@param budget_us number|nil  default 1000
---@return boolean done  false when something is left
function methods:step(budget_us) return loop.step(budget_us) end

--- Internal: part of the loop, at the end of a step.
function methods:stepped()
  if not self.closed and starving.look(self, loop.now()) then warnings.say(self) end
end

--- File descriptors that are readable when a step has work.
---@return integer[]
function methods:fds() return loop.fds() end
--- Seconds after which a step has work even if no descriptor is readable.
---@return number|nil  nil: never
function methods:timeout() return loop.timeout() end

return methods
