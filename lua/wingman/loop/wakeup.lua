--- Waiting for something that the core does in the background and whose changes it counts:
--- the output of a process, bytes of a stream.
local loop = require "wingman.loop"

local M = {}

---@class wingman.changes
---@field package seen number
---@field package next wingman.future  settled by the next change
local methods = {}
methods.__index = methods

---@return wingman.changes
function M.new() return setmetatable({ seen = 0, next = loop.future() }, methods) end

--- What the core has counted so far. Waiting tasks look again when that is more than before.
---@param count number
function methods:note(count)
  if count == self.seen then return end
  self.seen = count
  self:wake()
end

--- Waiting tasks look again.
function methods:wake()
  local next = self.next
  self.next = loop.future()
  next:resolve(true)
end

--- Calls look() after each change, until it returns something.
---@param timeout number|nil  seconds; nil waits for ever
---@param look fun(): any, any
---@return any, any  what look returned, or nil, "timeout"
function methods:await(timeout, look)
  local deadline = timeout and loop.now() + timeout
  while true do
    local a, b = look()
    if a ~= nil or b ~= nil then return a, b end
    local left = deadline and deadline - loop.now()
    if left and left <= 0 then return nil, "timeout" end
    self.next:wait(left)
  end
end

return M
