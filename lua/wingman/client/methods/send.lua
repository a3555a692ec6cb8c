--- Messages of the script's own: to the node that owns a key, and again when that
--- node does not own it any more, or cannot be reached.
local call_options = require "wingman.client.options.calls"
local check_options = require("wingman.options.check").check
local core = require "wingman.core"
local errors = require "wingman.base.error"
local loop = require "wingman.loop"
local protected = require "wingman.base.protected"
local wire_name = require "wingman.base.wire_name"

---@class wingman.client
local methods = {}

--- Without an answer to wait for, a message counts as taken when so many seconds have
--- brought no refusal, or three round trips, if these are longer.
local REFUSAL_WINDOW = 0.1
local LONGEST_DELAY = 30

local function failed(code, retriable, format, ...)
  return nil, errors.new(code, format:format(...), { retriable = retriable })
end

local function ready_connection(self, node)
  for _, connection_id in ipairs(node.connection_ids) do
    local info = self.core:connection_info(connection_id)
    if info.state == "ready" then return connection_id, info end
  end
end

-- A connection to where the message belongs now.
local function target(self, key)
  local provider = self.provider
  if not provider then return nil end
  local node
  if key then node = provider:node_of(key) else node = provider:any_node() end
  if not node then return nil end
  local connection_id, info = ready_connection(self, node)
  return connection_id and node, connection_id, info
end

-- The core reports acknowledgements only while a call waits for one.
local function wait_for_acks(self, change)
  self.sending = (self.sending or 0) + change
  if not self.closed then self.core:forward_acks(self.sending > 0) end
end

-- One try: what the answer is (true without one to wait for), or nil, err.
local function try(self, bytes, key, options)
  local node, connection_id, info = target(self, key)
  if not node then
    return failed("NOT_CONNECTED", true, "no node is connected that the message could be sent to%s",
      key and (" (key '%s')"):format(key) or "")
  end
  local waiter, mistake
  waiter = self.provider.requests:expect(connection_id, function(message)
    if not options.answer then return nil end
    local ok, result = protected.call(options.answer, message)
    if ok then return result end
    mistake = result
    waiter.future:reject "mistake"
  end, function(description)
    local ok, result = pcall(options.answer or function() end, description) -- it lacks most of what a message has
    return ok and result
  end)
  wait_for_acks(self, 1)
  local function on_server_error(err)
    -- One that names an operation is about that.
    local about_routes = err.code == "NOT_OWNER" or err.code == "STALE_MAP"
    if about_routes and err.url == node.url and not err.op_id then waiter.future:reject(err) end
  end
  self.events:on("server_error", on_server_error)
  local sent, reason = self.core:send(connection_id, bytes)
  local answer, err
  if sent then
    answer, err = waiter.future:wait(options.answer and options.timeout or math.max(REFUSAL_WINDOW, 3 * info.rtt))
  end
  self.events:off("server_error", on_server_error)
  self.provider.requests:forget(waiter)
  wait_for_acks(self, -1)
  if mistake then error(mistake, 0) end
  if not sent then return failed("BUSY", true, "%s: the message cannot be sent: %s", node.url, reason) end
  if answer ~= nil then return answer end
  if type(err) == "table" then return nil, err end
  if err == "timeout" and not options.answer then return true end
  if err == "timeout" then return failed("TIMEOUT", true, "%s: no answer in time", node.url) end
  return failed("NOT_CONNECTED", true, "%s: %s before an answer to the message arrived", node.url, err)
end

local function may_retry(err, options)
  if err.code == "NOT_OWNER" then return options.retry_on_not_owner end
  return err.code == "STALE_MAP" or err.code == "NOT_CONNECTED" or err.code == "BUSY"
end

-- Waits for a better route, at most so long. A server's own words have had the map
-- asked for; a route that is missing may be in a newer one.
local function wait_for_route(self, key, err, delay)
  if err.code ~= "NOT_CONNECTED" then return loop.sleep(delay) end
  local provider = self.provider
  if provider and provider.map_is_old then provider:map_is_old() end
  loop.wait_until(function() return self.closed or target(self, key) end, delay)
end

--- Sends a message to the owner of the key, or without a key to any node. Retries when the node
--- answers that it is not the owner or that the partition map is old, when it is not connected, and
--- when its connection ends. Before a retry the client requests the partition map, and waits twice
--- as long as before the last one. A message may therefore arrive twice.
---
--- With the option `answer` it waits for the answer and returns it. Without it, true means
--- that the message was sent and not refused within a tenth of a second: the protocol
--- has no acknowledgement for it. Waits.
---@param data table|string  a message, or its MessagePack bytes
---@param key string|nil
---@param options wingman.send_options|nil
---@return any|nil answer, wingman.error|nil  err.retriable: the same again may succeed
function methods:send_with_retry(data, key, options)
  options = check_options(call_options.send, options == nil and {} or options, "send_with_retry", 2)
  if key ~= nil and type(key) ~= "string" then error("send_with_retry: the key is a string, got " .. type(key), 2) end
  if key and not core.utf8_valid(key) then
    return failed("NOT_ENCODABLE", false, "send_with_retry: the key %s is not valid UTF-8", wire_name.shown(key))
  end
  local bytes, reason = data, nil
  if type(data) == "table" then bytes, reason = core.encode(data)
  elseif type(data) ~= "string" then error("send_with_retry: a message (a table) or its bytes are expected, got " .. type(data), 2) end
  if not bytes then return failed("NOT_ENCODABLE", false, "the message cannot be encoded as MessagePack: %s", reason) end
  local retries, delay = options.max_retries, options.retry_delay
  for attempt = 0, retries do
    if self.closed then return failed("CLOSED", false, "the client is closed") end
    local answer, err = try(self, bytes, key, options)
    if answer ~= nil then return answer end
    if self.closed then return failed("CLOSED", false, "the client was closed") end
    if attempt == retries or not may_retry(err, options) then
      err.attempts = attempt + 1
      return nil, err
    end
    wait_for_route(self, key, err, math.min(LONGEST_DELAY, delay * 2 ^ attempt))
  end
end

return methods
