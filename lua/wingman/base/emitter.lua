--- Named events with listeners: the `on`/`off` of clients, providers and maps.
local nearest = require "wingman.base.nearest"
local protected = require "wingman.base.protected"
local sorted = require "wingman.base.sorted"

local M = {}

---@class wingman.emitter
---@field private listeners table<string, function[]>
---@field private names table<string, any>|nil
---@field private failed fun(event: string, err: any)|nil
local methods = {}
methods.__index = methods

---@class wingman.emitter_options
---@field names table<string, any>|nil  the events that exist, as keys; default: any name is one
---@field failed nil|fun(event: string, err: any)  gets the errors of listeners; default: `emit` raises the first one

---@param options wingman.emitter_options|nil
---@return wingman.emitter
function M.new(options)
  options = options or {}
  return setmetatable({ listeners = {}, names = options.names, failed = options.failed }, methods)
end

-- `level` as in `error`, seen from the caller.
local function check_name(self, event, what, level)
  if not self.names or self.names[event] then return end
  local names = sorted.keys(self.names)
  error(("%s: there is no event '%s'%s; the events are %s"):format(what, tostring(event), nearest.hint(event, names),
    table.concat(names, ", ")), level + 1)
end

--- Calls `fn(...)` at every event of this name.
---@param event string
---@param fn function
---@param what string|nil    who is asked, for errors: "client:on"; default "on"
---@param level integer|nil  whose mistake it is, as in `error`, seen from the caller; default 2
function methods:on(event, fn, what, level)
  level = level or 2
  check_name(self, event, what or "on", level)
  if type(fn) ~= "function" then
    error(("%s: a function is expected, got %s"):format(what or "on", type(fn)), level)
  end
  -- A new list each time: an emit that is under way goes on with the one it began.
  local list = { unpack(self.listeners[event] or {}) }
  list[#list + 1] = fn
  self.listeners[event] = list
end

--- Removes a listener. Safe when it is not there.
---@param event string
---@param fn function
---@param what string|nil
---@param level integer|nil
function methods:off(event, fn, what, level)
  check_name(self, event, what or "off", level or 2)
  local list = {}
  for _, listener in ipairs(self.listeners[event] or {}) do
    if listener ~= fn then list[#list + 1] = listener end
  end
  self.listeners[event] = list[1] and list or nil
end

--- Whether the event has a listener.
function methods:has(event) return self.listeners[event] ~= nil end

--- Calls the listeners in the order in which they were added. All are called, also when
--- one raises.
function methods:emit(event, ...)
  local list = self.listeners[event]
  if not list then return end
  local failure
  for i = 1, #list do
    local ok, err = protected.call(list[i], ...)
    if not ok and self.failed then self.failed(event, err) end
    failure = failure or (not ok and not self.failed and err)
  end
  if failure then error(failure, 0) end
end

return M
