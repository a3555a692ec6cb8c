--- Modules of Wingman on a clock that stands still until their loop waits: then it jumps to
--- the end of the wait. A spec about time needs no time then, and no machine is too slow for it.
local core = require "wingman.core"

local M = {}

---@class spec.virtual_time
---@field loop table  wingman.loop on this clock
---@field private at number  seconds
---@field private loaded table<string, table>  the modules that were made for this clock
local methods = {}
methods.__index = methods

--- Seconds that a wait takes too long: more than what the sum of two times is rounded by.
local LATE = 1e-9

-- What wingman.loop asks of the core's loop. There are no sockets: in a wait nothing can
-- happen but its end.
local function handle_of(self)
  return {
    turn = function(_, seconds)
      if seconds < 0 then error("virtual time: nothing is left that could happen", 0) end
      if seconds > 0 then self.at = self.at + seconds + LATE end
    end,
    turn_until = function() return true end,
    write = function() end,
    close = function() end,
  }
end

local function is_own(name) return name:find "^wingman%." ~= nil end

-- Calls fn while package.loaded has the modules of this clock, and only those.
local function with_own_modules(self, fn)
  local real = {}
  for name, module in pairs(package.loaded) do
    if is_own(name) then real[name], package.loaded[name] = module, nil end
  end
  for name, module in pairs(self.loaded) do package.loaded[name] = module end
  local ok, result = pcall(fn)
  for name, module in pairs(package.loaded) do
    if is_own(name) then self.loaded[name], package.loaded[name] = module, nil end
  end
  for name, module in pairs(real) do package.loaded[name] = module end
  if not ok then error(result, 0) end
  return result
end

--- A module of its own, which knows this clock and this loop; so do those that it requires.
---@param name string  "wingman.cluster.map_refresh"
---@return table
function methods:require(name)
  return with_own_modules(self, function() return require(name) end)
end

--- The time; `loop.now()` returns the same.
---@return number seconds
function methods:now() return self.at end

--- Lets time pass while nothing runs: the loop is late.
---@param seconds number
function methods:pass(seconds) self.at = self.at + seconds end

--- A clock, with a loop on it that has no timers and no tasks.
---@return spec.virtual_time
function M.new()
  local self = setmetatable({ at = 1000, loaded = {} }, methods)
  local handle = handle_of(self)
  self.loaded["wingman.core"] = setmetatable({
    now = function() return self.at end,
    loop = function() return handle end,
  }, { __index = core })
  self.loop = self:require "wingman.loop"
  return self
end

return M
