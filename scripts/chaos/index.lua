--- Questions about a history that several checks ask.
local M = {}

---@class chaos.index
---@field history chaos.history
---@field by_key table<string, chaos.operation[]>  without those that were never recorded
---@field arrivals chaos.indexed_arrival[]  each node's in its order
---@field arrivals_of table<string, chaos.indexed_arrival[]>  by operation
local methods = {}
methods.__index = methods

---@class chaos.indexed_arrival
---@field op chaos.operation
---@field node string
---@field session integer
---@field foreign boolean
---@field refused boolean
---@field position integer  among the node's arrivals, in their order

-- Arrivals whose time no operation has are repairs: sent again with a newer time.
local function index_arrivals(self)
  for position, arrival in ipairs(self.history.arrivals or {}) do
    local op = self.history.by_time[arrival.time]
    if op then
      local list = self.arrivals_of[op.id] or {}
      self.arrivals_of[op.id] = list
      local indexed = {
        op = op, node = arrival.node, session = arrival.session, foreign = arrival.foreign, refused = arrival.refused,
        position = position,
      }
      list[#list + 1] = indexed
      self.arrivals[#self.arrivals + 1] = indexed
    end
  end
end

---@param history chaos.history
---@return chaos.index
function M.new(history)
  local self = setmetatable({ history = history, by_key = {}, arrivals = {}, arrivals_of = {} }, methods)
  for _, op in ipairs(history.ops) do
    if not op.refused then
      local list = self.by_key[op.key] or {}
      self.by_key[op.key] = list
      list[#list + 1] = op
    end
  end
  index_arrivals(self)
  return self
end

local function parts(time)
  local millis, counter, node = time:match "^(%d+):(%d+):(.*)$"
  return tonumber(millis), tonumber(counter), node
end

--- Whether one clock reading is before another: millis, counter, then the node's id.
function M.is_earlier(a, b)
  local a_millis, a_counter, a_node = parts(a)
  local b_millis, b_counter, b_node = parts(b)
  if a_millis ~= b_millis then return a_millis < b_millis end
  if a_counter ~= b_counter then return a_counter < b_counter end
  return a_node < b_node
end

--- Whether `a` has to lose against `b`, of the same key. One client's operations
--- stand in their order. Those of different clients: on 0.11 the clients' clocks
--- decide; a v2 server stamps what arrives, so that only an operation that was
--- acknowledged before the other began is surely older.
---@param a chaos.operation
---@param b chaos.operation
function methods:is_before(a, b)
  if a.client == b.client then return a.order < b.order end
  if self.history.dialect == "0.11" then
    return a.time ~= nil and b.time ~= nil and M.is_earlier(a.time, b.time)
  end
  return a.acked ~= nil and a.acked < b.invoked
end

--- Whether what this node acknowledged then is out of a memory that it still has at
--- the end: the connection that the acknowledgement came over is younger than the
--- node's last start.
---@param op chaos.operation  acknowledged
function methods:is_in_memory(op)
  local node, connected = self.history.nodes[op.node], nil
  for _, connection in ipairs(self.history.clients[op.client].connections) do
    if connection.node == op.node and connection.at <= op.acked then connected = connection.at end
  end
  local last_start, last_end = node.starts[#node.starts], node.ends[#node.ends]
  if last_end and (not last_start or last_start < last_end) then return false end -- it is down
  return not last_start or (connected ~= nil and connected >= last_start)
end

--- Whether any node has lost its memory after this moment.
function methods:a_node_ended_after(at)
  for _, node in pairs(self.history.nodes) do
    local last = node.ends[#node.ends]
    if last and last >= at then return true end
  end
  return false
end

--- Whether one of the maps that a client held in from .. to names a node as the
--- owner of a partition.
function methods:was_owner_for(client_name, partition, node, from, to)
  local maps = self.history.clients[client_name].maps
  for i, map in ipairs(maps) do
    local until_then = maps[i + 1] and maps[i + 1].at or math.huge
    if map.at <= to and until_then >= from and map.owners[partition + 1] == node then return true end
  end
  return false
end

--- Whether a client has lost a connection to this node in from .. to.
function methods:lost_connection(client_name, node, from, to)
  local client = self.history.clients[client_name]
  for _, loss in ipairs(client.losses) do
    if loss.node == node and loss.at >= from and loss.at <= to then return true end
  end
  for _, start in ipairs(client.starts) do
    if start >= from and start <= to then return true end
  end
  return false
end

--- The v2 server stamps a write when it applies it. What it got over a connection
--- that then ended (it was paused, or the end had not reached it) may be applied after
--- what the client sent since, and win. Whether `old` came to the node in that way
--- after `new`.
---@param old chaos.operation
---@param new chaos.operation  acknowledged by the node
---@param node string
function methods:came_late(old, new, node)
  if self.history.dialect ~= "v2" then return false end
  if not self.history.arrivals then return self:lost_connection(old.client, node, old.invoked, new.acked) end
  for _, late in ipairs(self.arrivals_of[old.id] or {}) do
    for _, arrival in ipairs(self.arrivals_of[new.id] or {}) do
      local is_other_connection = late.session ~= arrival.session
      if late.node == node and arrival.node == node and late.position > arrival.position and is_other_connection then
        return true
      end
    end
  end
  return false
end

return M
