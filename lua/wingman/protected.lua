--- Protected calls with arguments and a traceback, which LuaJIT's xpcall does and Lua
--- 5.1's does not.
local M = {}

local xpcall = xpcall

-- The frame of the protected call, which a traceback shows by either name, and those below
-- it, which are Wingman's own.
local OWN_FRAMES = {
  "\n%s*%[C%]: in function 'xpcall'\n[^\n]*wingman/[%w_/]+%.lua:.*$", "\n%s*%[C%]: in function 'call'\n[^\n]*wingman/[%w_/]+%.lua:.*$",
}

-- The error with the way to it. An error that is no text stays what it is.
local function traceback(err)
  if type(err) ~= "string" then return err end
  local trace = debug.traceback(err, 2)
  for _, pattern in ipairs(OWN_FRAMES) do trace = trace:gsub(pattern, "") end
  return trace
end

local hands_on = select(2, xpcall(function(x) return x end, traceback, true))

--- Calls fn(...): true and what it gave, or false and the error with its traceback.
---@param fn function
---@return boolean ok, any result
function M.call(fn, ...)
  if hands_on then return xpcall(fn, traceback, ...) end
  local args, n = { ... }, select("#", ...)
  return xpcall(function() return fn(unpack(args, 1, n)) end, traceback)
end

return M
