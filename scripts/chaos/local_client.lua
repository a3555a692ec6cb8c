--- A client in this process whose every operation is written into the history.
local history_module = require "chaos.history"
local loop = require "wingman.loop"
local route_watch = require "chaos.route_watch"
local wingman = require "wingman"
local workload = require "chaos.workload"

local now = loop.now

local M = {}

---@class chaos.local_client
---@field name string
---@field client wingman.client
---@field package history chaos.history
---@field package seen table|nil  the partition map that was written down last
local methods = {}
methods.__index = methods

--- Writes down the partition map that the client holds, when it is another one.
function methods:note_map()
  local map = self.client:partition_map()
  if map == self.seen or not map then return end
  self.seen = map
  table.insert(self.record.maps, { at = now(), owners = map.owners })
end

--- Part of the loop.
function methods:drain_events() self:note_map() end

local function listen(self)
  self.client:on("node_connected", function(node) table.insert(self.record.connections, { at = now(), node = node.id }) end)
  self.client:on("node_lost", function(event)
    table.insert(self.record.losses, { at = now(), node = event.id, reason = event.reason })
  end)
end

--- Makes a client and waits until it is connected.
---@param history chaos.history
---@param name string
---@param options table  of wingman.client
---@param timeout number  seconds: on a busy machine short timeouts strike, and the client goes on trying
---@return chaos.local_client|nil, wingman.error|nil
function M.start(history, name, options, timeout)
  local client, err = wingman.client(options)
  if not client then return nil, err end
  local self = setmetatable({
    name = name, history = history, client = client, record = history:client_started(name, now()), own = {}, by_seq = {},
  }, methods)
  listen(self)
  loop.add_source(self)
  local ok, start_err = client:start()
  ok = ok or loop.wait_until(function() return client:is_routing_active() end, timeout)
  if not ok then
    self:close()
    return nil, start_err
  end
  route_watch.each(client, function() self:note_map() end)
  self:note_map()
  return self
end

--- Works until `is_over()`.
function methods:work(job, rng, is_over) workload.run(self, job, rng, is_over) end

--- Writes or removes a key. Waits while the op log is full and set to pause.
---@param map_name string
---@param key string
---@param kind "set"|"remove"
function methods:write(map_name, key, kind)
  local map, history = self.client:map(map_name), self.history
  self:note_map()
  local op = history:invoke(self.name, key, kind, now())
  local seq, err
  if kind == "set" then seq, err = map:set(key, history_module.value(op.id)) else seq, err = map:remove(key) end
  if not seq then
    op.refused = err.code
    return
  end
  local time = map:record(key)
  op.partition = self.client:partition_of(key)
  history:recorded(op, history_module.time(time.millis, time.counter, time.node), now())
  self.own[key] = op
  self.by_seq[seq] = op
  self.client:settlement(seq):on_settled(function(future)
    local ok, result = future:wait(0)
    self.by_seq[seq] = nil
    self:note_map() -- by which it was routed: a timer may have changed it since the last look
    if ok then history:acked(op, result, now()) else history:failed(op, result.code, now()) end
  end)
end

--- Reads a key from the local copy: what this client wrote is there at once.
---@param map_name string
---@param key string  that only this client writes
function methods:read(map_name, key)
  local value = self.client:map(map_name):get(key)
  local saw = value ~= nil and history_module.written_by(value) or nil
  local last = self.own[key]
  table.insert(self.history.reads, {
    client = self.name, key = key, at = now(), own = true, saw = saw, wrong = value ~= nil and not saw and "a damaged value" or nil,
    expected = last and last.kind == "set" and last.id or nil,
  })
end

--- Asks the nodes for a map. What cannot be had under faults is no answer.
---@param map_name string
function methods:query(map_name)
  for _, row in ipairs(self.client:query(map_name) or {}) do
    local saw = history_module.written_by(row.value)
    table.insert(self.history.reads, {
      client = self.name, key = row.key, at = now(), own = false, saw = saw, wrong = not saw and "a damaged value" or nil,
    })
  end
end

-- Whether nothing waits any more. What was dropped from a full log is known by its event.
local function drain(self, timeout)
  local ok, err = self.client:drain(timeout)
  return ok == true or err.code == "REJECTED", err
end

--- Waits until every operation is settled and every node is connected.
---@param nodes integer
---@param timeout number
---@return boolean
function methods:settle(nodes, timeout)
  local deadline = now() + timeout
  loop.wait_until(function() return #self.client:connected_nodes() == nodes end, timeout)
  return (drain(self, math.max(0.01, deadline - now())))
end

--- Sends again what servers lost, until there is nothing more: true, or nil and why not.
---@param map_name string
---@param nodes integer  of the cluster: only what is connected is compared
---@return boolean|nil ok
---@return string|nil why_not
---@return boolean|nil unread  a machine that is too busy: the nodes could not be read in one go
function methods:repair(map_name, nodes)
  local problem, unread
  local found = {} -- writes sent again, by round
  for round = 1, 10 do
    local is_whole = loop.wait_until(function() return #self.client:connected_nodes() == nodes end, 10)
    local again, err = self.client:repair(map_name)
    local drained, drain_err = drain(self, 15)
    is_whole = is_whole and #self.client:connected_nodes() == nodes
    if again == 0 and drained and is_whole then return true end
    unread = err ~= nil or not is_whole
    found[round] = tostring(again)
    problem = err or drain_err or (is_whole and "repair finds no end" or "a node is not connected")
    -- A connection was lost while a node was read, or nodes do not agree yet: more time for each
    -- round. Only a round that finds nothing ends this well, so the pause hides nothing.
    loop.sleep(err and 0.2 or 0.05 * (round - 1))
  end
  return nil, ("%s; writes sent again in each round: %s"):format(tostring(problem), table.concat(found, ", ")), unread
end

--- Whether this client has the same owners as another one within `timeout`.
---@param other wingman.client
function methods:agrees_with(other, timeout)
  return loop.wait_until(function()
    local mine, theirs = self.client:partition_map(), other:partition_map()
    if not mine or not theirs then return false end
    for i, owner in ipairs(theirs.owners) do
      if mine.owners[i] ~= owner then return false end
    end
    return true
  end, timeout) == true
end

--- Writes down what is left in the log, and the counters.
function methods:finish()
  local pending = {}
  for _, op in ipairs(self.client.core:operations(0)) do
    local known = self.by_seq[op.seq]
    if known then pending[known.id] = true end
  end
  self.record.pending = pending
  self.record.counts = self.client:stats()
  self.record.counts.pending = self.client:pending_ops()
end

--- Ends the client. Safe twice.
function methods:close()
  loop.remove_source(self)
  self.client:close()
end

return M
