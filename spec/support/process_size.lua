--- What this process holds, for specs that it does not grow.
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"

local M = {}

--- How many file descriptors are open.
---@return integer
function M.count_fds()
  local listing = assert(io.popen "ls /proc/$PPID/fd")
  local count = 0
  for _ in listing:lines() do count = count + 1 end
  listing:close()
  return count
end

--- The count when it has stopped changing: a socket says goodbye before it is closed.
---@return integer
function M.settled_fds()
  local count, since = M.count_fds(), loop.now()
  eventually("the number of file descriptors settles", function()
    local now = M.count_fds()
    if now ~= count then count, since = now, loop.now() end
    return loop.now() - since > 0.3, count
  end)
  return count
end

--- Lua memory in use, once what can be freed is; compiled traces would count as memory that grew.
---@return number
function M.kilobytes()
  jit.flush()
  collectgarbage()
  collectgarbage()
  return collectgarbage "count"
end

return M
