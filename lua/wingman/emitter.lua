--- Named events with listeners: the `on`/`off` of clients, providers and maps.
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
  local list = self.listeners[event] or {}
  self.listeners[event] = list
  list[#list + 1] = fn
end

--- Removes a listener. Safe when it is not there.
function methods:off(event, fn)
  local list = self.listeners[event]
  if not list then return end
  for i = #list, 1, -1 do
    if list[i] == fn then table.remove(list, i) end
  end
  if #list == 0 then self.listeners[event] = nil end
end

--- Whether anybody listens.
function methods:has(event) return self.listeners[event] ~= nil end

--- Calls the listeners in the order in which they came. One that raises does not
--- keep the others from hearing: the first error is raised at the end.
function methods:emit(event, ...)
  local list = self.listeners[event]
  if not list then return end
  local failure
  local snapshot = { unpack(list) }
  for i = 1, #snapshot do
    local args, n = { ... }, select("#", ...)
    local ok, err = xpcall(function() snapshot[i](unpack(args, 1, n)) end, debug.traceback)
    failure = failure or (not ok and err)
  end
  if failure then error(failure, 0) end
end

return M
