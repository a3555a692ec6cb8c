--- The timeline of every node loss: when it was noticed, when the partition map was
--- asked for and came, when all partitions of the node had a route again, when the
--- first write to them was acknowledged, and when all that had piled up was.
---
--- A node is lost when operations can go there no more: its last connection ended, or
--- its circuit opened. The news of the other nodes may come first: then a partition map has
--- taken the partitions from it already, and that is when it was lost.
local loop = require "wingman.loop"

local M = {}

if jit then jit.off(true, true) end -- as in wingman.cluster.provider.route_updates

--- Losses that are remembered; older ones are forgotten.
local KEPT = 100
--- Seconds between two looks at the log while something is still to be acknowledged.
local LOOK_EVERY = 0.001
--- Seconds that the partition map may come before the end of the connection.
local MAP_BEFORE = 5
--- Seconds after `drained` in which an acknowledgement still is the first one: no write waited.
local FIRST_ACK_WITHIN = 1

--- Times other than `detected_at` are seconds after it; nil: it has not happened.
---@class wingman.failover
---@field node string|nil        its id
---@field url string  that it was reached at
---@field reason string          as in the event node_lost; "circuit": its circuit opened
---@field detail string|nil  more about the reason, such as a server's words
---@field partitions integer     how many went there
---@field detected_at number     monotonic seconds, as loop.now()
---@field map_asked number|nil  a partition map was requested
---@field map_received number|nil  the map that gave routes, or else the first one after them
---@field rerouted number|nil    each of the partitions has a node that can be used
---@field first_ack number|nil   a write to one of them was acknowledged; nil, too, when none was until a second after `drained`
---@field drained number|nil     what was written to them until `rerouted` has been settled

---@class wingman.failovers
---@field private host wingman.failovers_host
---@field private cases table[]  the remembered losses, oldest first
---@field private open table[]   those of them that are not drained
---@field private serving table<integer, boolean>  indexes of the nodes that operations go to
---@field private left table<integer, table>  node index -> the partitions that a map took from a node that serves, and when
local methods = {}
methods.__index = methods

---@class wingman.failovers_host
---@field core userdata  wingman.core.client
---@field completed fun(record: wingman.failover)  it is drained

---@param host wingman.failovers_host
---@return wingman.failovers
function M.new(host)
  return setmetatable({ host = host, cases = {}, open = {}, serving = {}, left = {}, count = 0, looked_at = 0 }, methods)
end

local function since(case) return loop.now() - case.record.detected_at end

local function copy(record)
  local result = {}
  for name, value in pairs(record) do result[name] = value end
  return result
end

local function remove(list, item)
  for i = #list, 1, -1 do
    if list[i] == item then table.remove(list, i) end
  end
end

local function partitions_of(self, node_index)
  local list, set = self.host.core:partitions_at(node_index), {}
  for _, partition in ipairs(list) do set[partition] = true end
  return list, set
end

-- The partitions of a node that is lost, and where they are now. When the node has none left, a
-- partition map came before the end of its connection.
local function case_of(self, node, record)
  local node_index = node.index
  local left = self.left[node_index]
  self.left[node_index] = nil
  local list, set = partitions_of(self, node_index)
  record.detected_at = loop.now()
  if #list == 0 and left and record.detected_at - left.at < MAP_BEFORE then
    for partition in pairs(left.set) do list[#list + 1] = partition end
    set = left.set
    record.detected_at, record.map_received = left.at, 0
    record.first_ack = left.acked_at and left.acked_at - left.at
  end
  record.partitions = #list
  return { partitions = list, set = set, record = record }
end

-- A partition goes to another node than before.
local function note_move(self, partition, from, to)
  if self.left[to] then self.left[to].set[partition] = nil end -- it has come back
  if not self.serving[from] then return end
  local left, now = self.left[from], loop.now()
  if not left or now - left.at >= MAP_BEFORE then
    left = { at = now, set = {} }
    self.left[from] = left
  end
  left.set[partition] = true
end

--- A node takes no more operations. Nothing happens when it took none before. Called
--- before the routes change.
---@param node wingman.node
---@param reason string
---@param detail string|nil
function methods:lost(node, reason, detail)
  if not self.serving[node.index] then return end
  self.serving[node.index] = nil
  local case = case_of(self, node, { node = node.id, url = node.url, reason = reason, detail = detail })
  self.cases[#self.cases + 1] = case
  self.open[#self.open + 1] = case
  if #self.cases > KEPT then remove(self.open, table.remove(self.cases, 1)) end
end

--- The partition map was asked for.
function methods:map_asked()
  for _, case in ipairs(self.open) do case.record.map_asked = case.record.map_asked or since(case) end
end

--- Another partition map is held than before. Called before the routes follow it.
function methods:map_received()
  for _, case in ipairs(self.open) do
    local record = case.record
    if not (record.rerouted and record.map_received) then record.map_received = since(case) end
  end
end

-- Partitions of another count are other partitions: what went anywhere is waited for.
local function renumber(self, count)
  self.count, self.left = count, {}
  for _, case in ipairs(self.open) do
    case.partitions, case.set = {}, {}
    for p = 0, count - 1 do case.partitions[p + 1], case.set[p] = p, true end
  end
end

local function is_rerouted(self, case, routes)
  for _, partition in ipairs(case.partitions) do
    if not self.serving[routes[partition + 1]] then return false end
  end
  return true
end

--- The routes were computed anew.
---@param serving table<integer, boolean>  indexes of the nodes that operations may go to
---@param moves integer[]|nil  the partitions that go elsewhere than before, as core:set_routes returns them
function methods:routes_changed(serving, moves)
  local core, routes = self.host.core, nil
  self.serving = serving
  if core:partition_count() ~= self.count then renumber(self, core:partition_count()) end
  for i = 1, moves and #moves or 0, 3 do note_move(self, moves[i], moves[i + 1], moves[i + 2]) end
  for _, case in ipairs(self.open) do
    if not case.record.rerouted then
      routes = routes or core:routes()
      if is_rerouted(self, case, routes) then
        case.record.rerouted = since(case)
        local _, _, _, last = core:pending()
        case.last_seq = last
      end
    end
  end
end

--- A partition got its first acknowledgement since it moved.
---@param partition integer
function methods:acked(partition)
  for _, case in ipairs(self.cases) do
    local record = case.record
    if not record.first_ack and case.set[partition] then
      local seconds = since(case)
      if not record.drained or seconds - record.drained < FIRST_ACK_WITHIN then record.first_ack = seconds end
    end
  end
  for _, left in pairs(self.left) do
    if left.set[partition] then left.acked_at = left.acked_at or loop.now() end
  end
end

--- Sees which losses are overcome. Called after each iteration of the loop.
function methods:look()
  if #self.open == 0 or loop.now() - self.looked_at < LOOK_EVERY then return end
  self.looked_at = loop.now()
  local over = {}
  for _, case in ipairs(self.open) do
    if case.last_seq and not self.host.core:has_backlog(case.partitions, case.last_seq) then over[#over + 1] = case end
  end
  for _, case in ipairs(over) do
    case.record.drained = since(case)
    remove(self.open, case)
    self.host.completed(copy(case.record))
  end
end

--- The losses, oldest first: the last hundred.
---@return wingman.failover[]
function methods:list()
  local list = {}
  for i, case in ipairs(self.cases) do list[i] = copy(case.record) end
  return list
end

return M
