--- Requests that wait for their answers. The protocol has no request numbers: an answer is
--- recognised by its connection, its type and a field or two. Of several requests that are alike the
--- oldest gets the first answer, also when it was given up: a late answer may be older than what the
--- next one asks about.
local loop = require "wingman.loop"
local core = require "wingman.core"

local M = {}

--- Seconds for which the answer to a request that was given up is expected: after that the node has
--- let it fall, as v2 servers do with what they do not like. And how many of a connection are.
local EXPECTED, MOST_EXPECTED = 60, 256

--- Why a wait ends with its connection: it was lost; perhaps by an answer that a v2 server cannot send, as it is of more
--- than 512 KiB; or so it seems, as it was the only one, and the connection ended in the way of that.
M.LOST, M.CUT_SHORT, M.CUT_SHORT_ALONE = "connection lost", "connection lost: perhaps by an answer", "connection lost: in place of the answer"

---@class wingman.requests
---@field private last integer  number of the newest waiter
---@field private given_up table<integer, wingman.request_waiter[]>  by connection, the oldest first
local methods = {}
methods.__index = methods

---@param client_core userdata  wingman.core.client
---@return wingman.requests
function M.new(client_core) return setmetatable({ core = client_core, waiting = {}, given_up = {}, last = 0 }, methods) end

-- Nobody waits any more for the answer to what was sent. One that came while an earlier one of its kind was expected
-- may have been this one's: then none is expected any more.
local function give_up(self, waiter)
  if waiter.was_passed_over or self.closed then return end
  local list = self.given_up[waiter.connection_id] or {}
  self.given_up[waiter.connection_id] = list
  waiter.given_up_at = loop.now()
  list[#list + 1] = waiter
  if #list > MOST_EXPECTED then table.remove(list, 1) end
end

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
  if ok then
    answer, wait_err = waiter.future:wait(timeout)
    if wait_err == "timeout" then give_up(self, waiter) end
  end
  self:forget(waiter)
  if not ok then return nil, send_err == core.statuses.EINVAL.text and M.LOST or send_err end
  return answer, wait_err
end

---@class wingman.request_waiter
---@field future wingman.future  of the message; an error when the connection is lost
---@field owner any              who waits
---@field package number integer  grows from each waiter to the next
---@field package given_up_at number|nil        of loop.now
---@field package was_passed_over boolean|nil  an answer that matched went to an earlier request

--- Waits for the first message on a connection that `matches(message)`; until `forget`.
---@param connection_id integer
---@param matches fun(message: table): any
---@param matches_description nil|fun(description: table): any  the same for one that was not read; default: matches
---@return wingman.request_waiter
function methods:expect(connection_id, matches, matches_description)
  local waiter = {
    connection_id = connection_id, matches = matches, matches_description = matches_description or matches, future = loop.future(),
    number = self.last + 1,
  }
  self.last = waiter.number
  self.waiting[waiter] = true
  return waiter
end

--- Ends an `expect`. Safe when it has ended.
---@param waiter wingman.request_waiter
function methods:forget(waiter) self.waiting[waiter] = nil end

-- The oldest request of those that wait to which a message is the answer.
local function oldest_waiting(self, connection_id, message, matcher)
  local oldest
  for waiter in pairs(self.waiting) do
    if waiter.connection_id == connection_id and not (oldest and oldest.number < waiter.number) and waiter[matcher](message) then
      oldest = waiter
    end
  end
  return oldest
end

-- Whether a message is the answer to a request that was given up, and is older than `waiter`.
local function is_late(self, connection_id, message, matcher, waiter)
  local list = self.given_up[connection_id]
  if not list then return false end
  while list[1] and loop.now() - list[1].given_up_at > EXPECTED do table.remove(list, 1) end
  for i, other in ipairs(list) do
    if waiter and waiter.number < other.number then return false end
    if other[matcher](message) then
      table.remove(list, i)
      if waiter then waiter.was_passed_over = true end
      return true
    end
  end
  return false
end

--- Offers a message to the requests that wait: true when it was the answer to one, or to one that was given up.
---@param connection_id integer
---@param message table
function methods:offer(connection_id, message)
  local waiter = oldest_waiting(self, connection_id, message, "matches")
  if is_late(self, connection_id, message, "matches", waiter) then return true end
  if not waiter then return false end
  self.waiting[waiter] = nil
  waiter.future:resolve(message)
  return true
end

--- Rejects the request whose answer could not be read: true when there was one.
---@param connection_id integer
---@param description table  the message's `type`, and in `payload` what it is recognised by
---@param err wingman.error
function methods:refuse(connection_id, description, err)
  local waiter = oldest_waiting(self, connection_id, description, "matches_description")
  if is_late(self, connection_id, description, "matches_description", waiter) then return true end
  if not waiter then return false end
  self.waiting[waiter] = nil
  waiter.future:reject(err)
  return true
end

--- Rejects what an owner waits for.
---@param owner any
---@param reason string
function methods:cancel(owner, reason)
  for waiter in pairs(self.waiting) do
    if waiter.owner == owner then
      self.waiting[waiter] = nil
      give_up(self, waiter)
      waiter.future:reject(reason)
    end
  end
end

--- Rejects every wait on a connection that has ended.
---@param connection_id integer
---@param cut_short "perhaps"|"likely"|nil  whether the server may have ended it in place of an answer
function methods:connection_lost(connection_id, cut_short)
  self.given_up[connection_id] = nil
  local lost = {}
  for waiter in pairs(self.waiting) do
    if waiter.connection_id == connection_id then lost[#lost + 1] = waiter end
  end
  local reason = not cut_short and M.LOST or cut_short == "likely" and #lost == 1 and M.CUT_SHORT_ALONE or M.CUT_SHORT
  for _, waiter in ipairs(lost) do
    self.waiting[waiter] = nil
    waiter.future:reject(reason)
  end
end

--- Rejects every wait, and every later request.
function methods:close()
  self.closed = true
  for waiter in pairs(self.waiting) do waiter.future:reject("closed") end
  self.waiting, self.given_up = {}, {}
end

return M
