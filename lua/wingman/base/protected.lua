--- Protected calls with arguments and a traceback, which LuaJIT's xpcall does and Lua
--- 5.1's does not.
local script_traceback = require "wingman.base.script_traceback"

local M = {}

local xpcall = xpcall

local hands_on = select(2, xpcall(function(x) return x end, script_traceback.of, true))

--- Calls fn(...): true and what it gave, or false and the error with its traceback.
---@param fn function
---@return boolean ok, any result
function M.call(fn, ...)
  if hands_on then return xpcall(fn, script_traceback.of, ...) end
  local args, n = { ... }, select("#", ...)
  return xpcall(function() return fn(unpack(args, 1, n)) end, script_traceback.of)
end

--- As M.call, for a function that may wait. In Lua 5.1 nothing can wait inside of a protected call, so there an error
--- goes past the caller.
---@param fn function
---@return boolean ok, any result
function M.call_waiting(fn, ...)
  if hands_on then return xpcall(fn, script_traceback.of, ...) end
  return true, fn(...)
end

return M
