--- Requests that wait for their answers. The protocol has no request numbers: an answer is
--- recognised by its connection, its type and a field or two.
local loop = require "wingman.loop"
local core = require "wingman.core"

local M = {}

---@class wingman.requests
local methods = {}
methods.__index = methods

---@param client_core userdata  wingman.core.client
---@return wingman.requests
function M.new(client_core) return setmetatable({ core = client_core, waiting = {} }, methods) end

--- Sends a message on a connection and waits for the first message there that
--- `matches(message)`: the message, or nil, err.
---@param connection_id integer
---@param message table
---@param matches fun(message: table): any
---@param timeout number  seconds
---@param owner any|nil  who waits, for `cancel`
---@return table|nil, string|wingman.error|nil
function methods:request(connection_id, message, matches, timeout, owner)
  if self.closed then return nil, "closed" end
  local bytes, err = core.encode(message)
  if not bytes then return nil, err end
  local waiter = self:expect(connection_id, matches)
  waiter.owner = owner
  local answer, wait_err
  local ok, send_err = self.core:send(connection_id, bytes)
  if ok then answer, wait_err = waiter.future:wait(timeout) end
  self:forget(waiter)
  if not ok then return nil, send_err == core.statuses.EINVAL.text and "connection lost" or send_err end
  return answer, wait_err
end

---@class wingman.request_waiter
---@field future wingman.future  of the message; an error when the connection is lost
---@field owner any              who waits

--- Waits for the first message on a connection that `matches(message)`; until `forget`.
---@param connection_id integer
---@param matches fun(message: table): any
---@param matches_description nil|fun(description: table): any  the same for one that was not read; default: matches
---@return wingman.request_waiter
function methods:expect(connection_id, matches, matches_description)
  local waiter = {
    connection_id = connection_id, matches = matches, matches_description = matches_description or matches, future = loop.future(),
  }
  self.waiting[waiter] = true
  return waiter
end

--- Ends an `expect`. Safe when it is over.
---@param waiter wingman.request_waiter
function methods:forget(waiter) self.waiting[waiter] = nil end

--- Offers a message to the requests that wait: true when it was the answer to one.
---@param connection_id integer
---@param message table
function methods:offer(connection_id, message)
  for waiter in pairs(self.waiting) do
    if waiter.connection_id == connection_id and waiter.matches(message) then
      self.waiting[waiter] = nil
      waiter.future:resolve(message)
      return true
    end
  end
  return false
end

--- Rejects the request whose answer could not be read: true when there was one.
---@param connection_id integer
---@param description table  the message's `type`, and in `payload` what it is recognised by
---@param err wingman.error
function methods:refuse(connection_id, description, err)
  for waiter in pairs(self.waiting) do
    if waiter.connection_id == connection_id and waiter.matches_description(description) then
      self.waiting[waiter] = nil
      waiter.future:reject(err)
      return true
    end
  end
  return false
end

--- Rejects what an owner waits for.
---@param owner any
---@param reason string
function methods:cancel(owner, reason)
  for waiter in pairs(self.waiting) do
    if waiter.owner == owner then
      self.waiting[waiter] = nil
      waiter.future:reject(reason)
    end
  end
end

--- Rejects every wait on a connection that has ended.
function methods:connection_lost(connection_id)
  for waiter in pairs(self.waiting) do
    if waiter.connection_id == connection_id then
      self.waiting[waiter] = nil
      waiter.future:reject("connection lost")
    end
  end
end

--- Rejects every wait, and every later request.
function methods:close()
  self.closed = true
  for waiter in pairs(self.waiting) do waiter.future:reject("closed") end
  self.waiting = {}
end

return M
