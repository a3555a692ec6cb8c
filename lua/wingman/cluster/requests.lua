--- Waiting for the answer to a message. The protocol has no request numbers, so an
--- answer is recognised by its connection, its type and a field or two.
local loop = require "wingman.loop"
local core = require "wingman.core"

local M = {}

---@class wingman.replies
local methods = {}
methods.__index = methods

---@param client_core userdata  wingman.core.client
---@return wingman.replies
function M.new(client_core) return setmetatable({ core = client_core, waiting = {} }, methods) end

--- Sends a message on a lane and waits for the first message there that
--- `matches(message)`: the message, or nil, err.
---@param lane integer
---@param message table
---@param matches fun(message: table): any
---@param timeout number  seconds
---@return table|nil, string|wingman.error|nil
function methods:request(lane, message, matches, timeout)
  if self.closed then return nil, "closed" end
  local bytes, err = core.encode(message)
  if not bytes then return nil, err end
  local waiter = self:expect(lane, matches)
  local answer, wait_err
  local ok, send_err = self.core:send(lane, bytes)
  if ok then answer, wait_err = waiter.future:wait(timeout) end
  self:forget(waiter)
  if not ok then return nil, send_err == core.statuses.EINVAL.text and "connection lost" or send_err end
  return answer, wait_err
end

---@class wingman.reply_waiter
---@field future wingman.future  of the message; an error when the connection is lost

--- Waits for the first message on a lane that `matches(message)`; until `forget`.
---@param lane integer
---@param matches fun(message: table): any
---@param matches_description nil|fun(description: table): any  the same for one that was not read; default: matches
---@return wingman.reply_waiter
function methods:expect(lane, matches, matches_description)
  local waiter = {
    lane = lane, matches = matches, matches_description = matches_description or matches, future = loop.future(),
  }
  self.waiting[waiter] = true
  return waiter
end

--- Ends an `expect`. Safe when it is over.
---@param waiter wingman.reply_waiter
function methods:forget(waiter) self.waiting[waiter] = nil end

--- Hands a message to whoever waits for it; true when somebody did.
---@param lane integer
---@param message table
function methods:offer(lane, message)
  for waiter in pairs(self.waiting) do
    if waiter.lane == lane and waiter.matches(message) then
      self.waiting[waiter] = nil
      waiter.future:resolve(message)
      return true
    end
  end
  return false
end

--- Tells whoever waits for a message that it was not read; true when somebody did.
---@param lane integer
---@param description table  the message's `type`, and in `payload` what it is recognised by
---@param err wingman.error
function methods:refuse(lane, description, err)
  for waiter in pairs(self.waiting) do
    if waiter.lane == lane and waiter.matches_description(description) then
      self.waiting[waiter] = nil
      waiter.future:reject(err)
      return true
    end
  end
  return false
end

--- The lane is lost: whoever waits there hears of it.
function methods:lane_lost(lane)
  for waiter in pairs(self.waiting) do
    if waiter.lane == lane then
      self.waiting[waiter] = nil
      waiter.future:reject("connection lost")
    end
  end
end

--- Ends every wait; what is asked later has no answer either.
function methods:close()
  self.closed = true
  for waiter in pairs(self.waiting) do waiter.future:reject("closed") end
  self.waiting = {}
end

return M
