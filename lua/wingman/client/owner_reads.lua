--- Reads of keys at their owners: which node is asked, what happens when it goes away or is
--- the owner no more, and several keys at once. How one node is asked is in wingman.client.node_reads.
local core = require "wingman.core"
local errors = require "wingman.base.error"
local loop = require "wingman.loop"
local node_reads = require "wingman.client.node_reads"
local requests_module = require "wingman.cluster.requests"
local url = require "wingman.base.url"
local wire_name = require "wingman.base.wire_name"

local M = {}

--- Keys of one call that are read at the same time.
local IN_FLIGHT = 64
--- A read whose connections have ended so often is given up: the answer may be what ends them, as one of
--- more than 512 KiB does on v2.
local MOST_LOSSES = 3

--- Reasons for which a read asks again; the others are errors.
local MOVED, LOST = node_reads.MOVED, requests_module.LOST

---@class wingman.owner_reads.call
---@field client wingman.client
---@field map string
---@field node string|nil    id or URL of the node to ask; nil: the owner of each key
---@field timeout number     seconds
---@field began number       of loop.now
---@field deadline number    of loop.now
---@field err wingman.error|nil  why the call has failed

---@class wingman.owner_reads.read
---@field call wingman.owner_reads.call
---@field key string
---@field asked wingman.node|nil  the node that was asked last
---@field was_cut_short boolean|nil  the server closed the connection, perhaps in place of the answer

local function describe(read) return ("map %s, key %s"):format(wire_name.shown(read.call.map), wire_name.shown(read.key)) end

local function failed(code, read, format, ...)
  return nil, errors.new(code, ("%s: %s"):format(describe(read), format:format(...)),
    { map = read.call.map, key = read.key, retriable = code == "TIMEOUT" or code == "NOT_CONNECTED" })
end

-- Which node is to be asked -----------------------------------------------------------

local function named_node(client, name)
  for _, node in ipairs(client.provider:nodes()) do
    if node.id == name or node.url == name or node.whole_url == name then return node end
  end
end

local function node_to_ask(read)
  local client, name = read.call.client, read.call.node
  if name then return named_node(client, name) end
  return client.provider:owner_of(read.key)
end

-- The node, and its listening connection, if that is ready.
local function target(read)
  local node = node_to_ask(read)
  local connection_id = node and read.call.client.listeners:of(node)
  if connection_id then return node, connection_id end
end

local function no_target(read)
  local client, name, node = read.call.client, read.call.node, node_to_ask(read)
  if node then return failed("NOT_CONNECTED", read, "%s: %s", node.id or node.url, client.listeners:problem_of(node)) end
  if name then return failed("NOT_CONNECTED", read, "no connected node is '%s'", url.shown(name)) end
  local _, id = client.provider:owner_of(read.key)
  return failed("NOT_CONNECTED", read, id and "its owner %s is not connected" or "the owner is not known: no node is connected%s", id or "")
end

-- Waits for the owner and its listening connection until the deadline; a node that was named must be there at once.
local function await_target(read)
  local call = read.call
  local client = call.client
  local node, connection_id = target(read)
  if node then return node, connection_id end
  local asked = node_to_ask(read)
  if call.node and not asked then return no_target(read) end
  if asked then client.listeners:open()
  elseif client.provider.map_is_old then client.provider:map_is_old() end
  loop.wait_until(function() return client.closed or call.err or target(read) end, math.max(0, call.deadline - loop.now()))
  if client.closed or call.err then return nil end
  node, connection_id = target(read)
  if node then return node, connection_id end
  return no_target(read)
end

-- Asking it ---------------------------------------------------------------------------

local function is_loss(reason) return type(reason) == "string" and reason:find(LOST, 1, true) == 1 end

-- The error for a reason after which no node is asked again.
local function failure(read, node, reason)
  local name = node.id or node.url
  if type(reason) == "table" then return nil, reason end
  if reason == "timeout" then
    return failed("TIMEOUT", read, "no answer of %s in %g s%s", name, read.call.timeout,
      node.dialect == "v2" and "; a v2 server does not answer when it denies the token the map, either" or "")
  elseif is_loss(reason) then
    return failed("NOT_CONNECTED", read, "the connection to %s ended %d times before it answered", name, MOST_LOSSES)
  elseif reason == core.statuses.EFULL.text then
    return failed("BUSY", read, "%s: the queue of the connection is full", name)
  end
  return failed("REFUSED", read, "the answer of %s cannot be read: %s", name, tostring(reason))
end

-- One whose answer may be what ends connections is asked about when no other such one is.
local function ask(read, node, connection_id)
  if not read.was_cut_short then return node_reads.record(read, node, connection_id) end
  local call = read.call
  return call.client.listeners:alone(node, call.deadline, function()
    local same, ready_id = await_target(read)
    if same ~= node then return nil, call.client.closed and LOST or MOVED end
    return node_reads.record(read, node, ready_id)
  end)
end

local function is_target_still(read, node) return node_to_ask(read) == node end

-- The record of one key and the node that has it; nil: the owner holds none. nil, nil, err. Closing the
-- client and a failed call give nil, too: the caller looks for them.
local function read_key(read)
  local call, losses = read.call, 0
  while true do
    local node, connection_id = await_target(read)
    if not node then return nil, nil, connection_id end
    local record, reason = ask(read, node, connection_id)
    if call.client.closed or call.err then return nil end
    if reason == nil and is_target_still(read, node) then return record, node end
    if is_loss(reason) then losses = losses + 1 end
    local asks_again = reason == nil or reason == MOVED
      or (is_loss(reason) and losses < MOST_LOSSES and (read.was_cut_short or not call.node))
    if not asks_again then return nil, nil, select(2, failure(read, node, reason)) end
  end
end

-- Calls -------------------------------------------------------------------------------

local function closed(call)
  return errors.new("CLOSED", ("map %s: the client was closed"):format(wire_name.shown(call.map)), { map = call.map })
end

-- The value, nil, and the time and the holder of its record; nil, err.
local function read_one(call, key)
  local record, node, err = read_key { call = call, key = key }
  if call.client.closed then return nil, closed(call) end
  if err or not record then return nil, err end
  local time = record.timestamp
  return record.value, nil, { millis = time.millis, counter = time.counter, node = time.nodeId, holder = node.id or node.url }
end

-- The other keys of the call need not wait for their answers.
local function fail(call, err)
  if call.err then return end
  call.err = err
  for read in pairs(call.client.reads) do
    if read.call == call then call.client.provider.requests:cancel(read, "failed") end
  end
end

local function read_several(call, keys)
  local values, records, tasks, next_key = {}, {}, {}, 1
  local function work()
    while keys[next_key] and not call.err do
      local key = keys[next_key]
      next_key = next_key + 1
      local value, err, record = read_one(call, key)
      if err then fail(call, err) end
      values[key], records[key] = value, record
    end
    return true
  end
  for i = 1, math.min(#keys, IN_FLIGHT) do tasks[i] = loop.spawn(work) end
  for _, task in ipairs(tasks) do
    local ok, trace = task:wait()
    if not ok then error(trace, 0) end
  end
  if call.err then return nil, call.err end
  return values, nil, records
end

-- No server has a key that is not UTF-8.
local function bad_key(map_name, key)
  if core.utf8_valid(key) then return nil end
  return errors.new("NOT_ENCODABLE", ("map %s, key %s: the key is not valid UTF-8"):format(wire_name.shown(map_name), wire_name.shown(key)),
    { map = map_name, key = key })
end

-- Why nothing can be read now.
local function not_readable(client, map_name, keys)
  if client.closed then return errors.new("CLOSED", "the client is closed") end
  if client.write_error then return client.write_error end
  if not client.provider then
    return errors.new("NOT_CONNECTED", ("map %s: the client is not started"):format(wire_name.shown(map_name)), { map = map_name })
  end
  for _, key in ipairs(keys) do
    local err = bad_key(map_name, key)
    if err then return err end
  end
end

--- Reads one key, or several as { key = value }; see map:read.
---@param client wingman.client
---@param map_name string
---@param key string|string[]  checked
---@param options { timeout: number, node: string|nil }  checked
---@return any value, wingman.error|nil err, table|nil record
function M.read(client, map_name, key, options)
  local several = type(key) == "table"
  local err = not_readable(client, map_name, several and key or { key })
  if err then return nil, err end
  node_reads.watch_owners(client)
  client.listeners:open()
  local began = loop.now()
  local call = {
    client = client, map = map_name, node = options.node, timeout = options.timeout, began = began,
    deadline = began + options.timeout,
  }
  if several then return read_several(call, key) end
  return read_one(call, key)
end

return M
