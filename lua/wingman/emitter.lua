--- Named events with listeners: the `on`/`off` of clients, providers and maps.
local protected = require "wingman.protected"

local M = {}

---@class wingman.emitter
---@field private listeners table<string, function[]>
local methods = {}
methods.__index = methods

---@return wingman.emitter
function M.new() return setmetatable({ listeners = {} }, methods) end

--- Calls `fn(...)` at every event of this name.
---@param event string
---@param fn function
function methods:on(event, fn)
  if type(fn) ~= "function" then error("on: a function is expected, got " .. type(fn), 2) end
  -- A new list each time: an emit that is under way goes on with the one it began.
  local list = { unpack(self.listeners[event] or {}) }
  list[#list + 1] = fn
  self.listeners[event] = list
end

--- Removes a listener. Safe when it is not there.
function methods:off(event, fn)
  local list = {}
  for _, listener in ipairs(self.listeners[event] or {}) do
    if listener ~= fn then list[#list + 1] = listener end
  end
  self.listeners[event] = list[1] and list or nil
end

--- Whether anybody listens.
function methods:has(event) return self.listeners[event] ~= nil end

--- Calls the listeners in the order in which they came. One that raises does not
--- keep the others from hearing: the first error is raised at the end.
function methods:emit(event, ...)
  local list = self.listeners[event]
  if not list then return end
  local failure
  for i = 1, #list do
    local ok, err = protected.call(list[i], ...)
    failure = failure or (not ok and err)
  end
  if failure then error(failure, 0) end
end

return M
