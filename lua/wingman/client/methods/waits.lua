--- Waits for space in the op log and for acknowledgements. Closing the client ends every wait.
local backlog = require "wingman.client.health.backlog"
local duration = require "wingman.base.duration"
local errors = require "wingman.base.error"
local loop = require "wingman.loop"
local query_reader = require "wingman.client.query.reader"

---@class wingman.client
local methods = {}

--- The largest whole number of Lua.
local MAX_SEQ = 2 ^ 53

local function closed() return nil, errors.new("CLOSED", "the client is closed") end

--- Internal: waits until the op log is below its low watermark.
---@return boolean|nil, wingman.error|nil
function methods:wait_for_log()
  self:flush()
  self.core:flush()
  self.progress = self.progress or loop.future()
  -- A log whose limits are tiny may never cross its marks; look now and then.
  local _, err = self.progress:wait(0.05)
  if self.progress and self.progress.done then self.progress = nil end
  if self.closed then return nil, err or errors.new("CLOSED", "the client was closed") end
  return true
end

-- Whether a callback or a wait for an operation up to `seq` is open: the core has settled the operation,
-- and its event is still queued.
local function is_awaited(self, seq)
  for _, listeners in ipairs { self.ack_callbacks, self.waiting_ops } do
    for waiting in pairs(listeners) do
      if waiting <= seq then return true end
    end
  end
  return false
end

-- True, or nil and an error when writes have left the op log without being stored since the last such
-- error.
local function all_stored(self)
  local stats, reported = self.core:stats(), self.reported_losses or { rejected = 0, dropped = 0 }
  local rejected, dropped = stats.ops_rejected - reported.rejected, stats.ops_dropped - reported.dropped
  self.reported_losses = { rejected = stats.ops_rejected, dropped = stats.ops_dropped }
  if rejected + dropped == 0 then return true end
  return nil, errors.new("REJECTED", ("not all writes are stored: %d rejected (see client:rejected()), %d dropped from a full op log")
    :format(rejected, dropped), { count = rejected + dropped, rejected = rejected, dropped = dropped })
end

--- Internal: whether writes that a 0.11 cluster acknowledged will be repeated because its membership has
--- changed, or may be: the change may not be known yet.
---@return boolean
function methods:has_unverified()
  local _, state = self.core:unverified()
  return state ~= "calm"
end

local function timed_out(self, timeout)
  local left = self:backlog()
  if left.pending == 0 and left.unverified == 0 then return true end
  if left.pending == 0 then
    return nil, errors.new("TIMEOUT", ("%d operations, acknowledged just before the cluster's membership changed, are not repeated after %g s")
      :format(left.unverified, timeout), left)
  end
  return nil, errors.new("TIMEOUT", ("%d operations are not acknowledged after %g s: %s; they stay in the op log")
    :format(left.pending, timeout, backlog.text(left)), left)
end

--- Sends everything that has a route, without waiting for batch.linger, and waits until
--- every recorded operation is acknowledged and every on_ack was called. On a 0.11 cluster
--- it also waits until the last acknowledgement is 50 ms old, because a membership change may not
--- be known earlier, and until the acknowledged writes that a change may have lost are repeated and
--- acknowledged again.
--- Returns nil, REJECTED with a count when writes were rejected, or dropped from a full op
--- log, since the last drain that reported some.
---@param timeout number|string|nil  a duration: seconds or "5s"; default: for ever
---@return boolean|nil ok
---@return wingman.error|nil  TIMEOUT with pending, and of these held, queued, sent; and unverified (see backlog);
---  REJECTED with count, rejected, dropped
function methods:drain(timeout)
  timeout = duration.limit(timeout, "client:drain", 2)
  if self.closed then return closed() end
  local deadline = timeout and loop.now() + timeout or math.huge
  while self:pending_ops() > 0 or self:has_unverified() do
    self.core:flush(true)
    if loop.now() >= deadline then
      local ok, err = timed_out(self, timeout)
      if not ok then return nil, err end
      break
    end
    self.ending:wait(0.005)
    if self.closed then return nil, errors.new("CLOSED", "the client was closed") end
  end
  local _, _, _, last = self.core:pending()
  while is_awaited(self, last) and loop.now() < deadline do
    self.ending:wait(0.001)
    if self.closed then return nil, errors.new("CLOSED", "the client was closed") end
  end
  return all_stored(self)
end

-- Whether this client gave the seq to a write; or one before it, with the same op log's file.
local function is_issued(self, seq)
  local _, _, _, last = self.core:pending()
  return seq <= last
end

-- The settlement of an operation; raises, `level` levels up, for a seq that was never issued.
local function settlement(self, seq, what, level)
  if type(seq) ~= "number" then
    error(("%s: a number is expected, as set or remove returned it, got %s"):format(what, type(seq)), level + 1)
  end
  local future = self.waiting_ops[seq]
  if future then return future end
  local is_possible = seq >= 1 and seq <= MAX_SEQ and seq % 1 == 0
  future = loop.future()
  if self.failures[seq] then future:reject(self.failures[seq])
  elseif self.closed then future:reject(select(2, closed()))
  elseif is_possible and self.core:notify(seq) then self.waiting_ops[seq] = future
  elseif is_possible and is_issued(self, seq) then future:resolve(true)
  else error(("%s: %s is no operation of this client"):format(what, tostring(seq)), level + 1) end
  return future
end

--- A future of one operation. It is settled with true and the id of the node that acknowledged it (without
--- the id when that happened before this call), or with nil, err when it was rejected or dropped. The last
--- 1,000 rejected or dropped ones are remembered. Raises for a seq that no write of this client, or
--- of an earlier client with the same op log's file, has.
---@param seq number  what set or remove returned
---@return wingman.future
function methods:settlement(seq)
  local future = settlement(self, seq, "client:settlement", 2) -- no tail call: the level counts this function
  return future
end

--- Waits until one operation is acknowledged: true. nil, err when it was rejected or dropped, and TIMEOUT
--- after `timeout`. Raises for a seq that was never issued, as settlement does.
---@param seq number  what set or remove returned
---@param timeout number|string|nil  a duration: seconds or "5s"; default: for ever
---@return true|nil, wingman.error|nil
function methods:wait(seq, timeout)
  timeout = duration.limit(timeout, "client:wait", 2)
  local ok, err = settlement(self, seq, "client:wait", 2):wait(timeout)
  if ok then return true end
  if err == "timeout" then err = errors.new("TIMEOUT", "the operation is not acknowledged yet; it stays in the op log") end
  return nil, err
end

--- Calls fn(true) once the operation is acknowledged, or fn(nil, err) when it was
--- rejected or dropped or the client ends before.
---@param seq number
---@param fn fun(ok: true|nil, err: wingman.error|nil)
function methods:when_settled(seq, fn)
  if type(fn) ~= "function" then error("on_ack: a function is expected, got " .. type(fn), 3) end
  if not self.core:notify(seq) then
    local failure = self.failures[seq]
    return self:call_back("on_ack", fn, not failure or nil, failure)
  end
  self.ack_callbacks[seq] = fn
end

--- Seconds that `close` waits by default: the writes that a membership change may have lost are repeated within 2 s, at
--- 50,000 writes a second, and one more change may come in that time.
local CLOSE_WAIT = 5

-- What close could not wait for is counted, logged and returned.
local function give_up_unverified(self, timeout)
  local left = self:backlog()
  self.core:give_up_unverified()
  if left.unverified > 0 then
    self.options.log_to("warn", "writes_unverified", {
      count = left.unverified, reason = "the membership has changed, and the client was closed before they were sent again",
    })
    self.events:emit("unverified", left.unverified)
  end
  return nil, errors.new("TIMEOUT", ("client:close did not wait longer than %g s for what was acknowledged just before the cluster's membership changed: %d writes are not sent again, and are unverified; %d are without an acknowledgement")
    :format(timeout, left.unverified, left.pending), left)
end

--- Part of close: first repeats the writes that a 0.11 cluster acknowledged just before its membership
--- changed. True, or nil, err with what is left of it after `timeout` seconds.
---@param timeout number|nil  default: 5
---@return boolean|nil, wingman.error|nil
function methods:wait_for_membership(timeout)
  if not self.provider then return true end
  if loop.is_stopped() then timeout = 0 end
  timeout = timeout or CLOSE_WAIT
  local function is_done()
    if self.closed then return true end
    local _, state = self.core:unverified()
    if state ~= "changed" then return true end
    self.core:flush(true)
  end
  if is_done() or (timeout > 0 and loop.wait_until(is_done, timeout)) then return true end
  return give_up_unverified(self, timeout)
end

--- Part of close: ends every wait with the error.
---@param err wingman.error
function methods:end_waits(err)
  self.ending:reject(err)
  if self.progress then self.progress:reject(err) end
  query_reader.end_waits(self, err)
  for _, future in pairs(self.waiting_ops) do future:reject(err) end
  local callbacks = self.ack_callbacks
  self.ack_callbacks = {}
  for _, fn in pairs(callbacks) do self:call_back("on_ack", fn, nil, err) end
end

return methods
