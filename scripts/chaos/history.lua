--- What clients did and what came of it: every operation with the times of its
--- invocation, its acknowledgement or its error; and what happened to the nodes
--- meanwhile. Plain data, so that checker.lua needs no cluster. Times are seconds of
--- the machine's monotonic clock, the same in all of its processes.
local M = {}

---@class chaos.operation
---@field id string       "<client>-<order>"; sets carry it in their value
---@field client string
---@field order integer   of this client's operations
---@field key string
---@field kind "set"|"remove"
---@field partition integer|nil
---@field invoked number
---@field recorded number|nil  when the client accepted it; nil: it may or may not have
---@field kept number|nil      when it was in the file of a durable log
---@field time string|nil      "millis:counter:node", the client's stamp
---@field refused string|nil   the error that set or remove returned: never recorded
---@field acked number|nil
---@field node string|nil      that acknowledged it
---@field failed string|nil    the error that settled it
---@field settled integer      how often its future was

---@class chaos.client_history
---@field name string
---@field maps { at: number, owners: string[] }[]     partition maps as they were held
---@field connections { at: number, node: string }[]  made
---@field losses { at: number, node: string, reason: string }[]
---@field starts number[]   more than one: its process was killed and started again
---@field pending table<string, boolean>|nil  ids in its log at the end
---@field counts table|nil  client:stats() at the end, and `pending`

---@class chaos.node_history
---@field starts number[]  each time with an empty memory; none before the schedule
---@field ends number[]
---@field pauses number[]

---@class chaos.arrival  as a simulated node saw it
---@field node string
---@field key string
---@field time string
---@field session integer
---@field foreign boolean
---@field refused boolean

---@class chaos.history
---@field dialect "v2"|"0.11"
---@field ops chaos.operation[]          ordered by their invocation
---@field by_id table<string, chaos.operation>
---@field by_time table<string, chaos.operation>
---@field clients table<string, chaos.client_history>
---@field nodes table<string, chaos.node_history>
---@field reads { client: string, key: string, at: number, own: boolean, saw: string|nil, wrong: string|nil }[]
---@field arrivals chaos.arrival[]|nil  nil: the cluster does not tell
local methods = {}
methods.__index = methods

---@param dialect "v2"|"0.11"
---@param node_ids string[]
---@return chaos.history
function M.new(dialect, node_ids)
  local nodes = {}
  for _, id in ipairs(node_ids) do nodes[id] = { starts = {}, ends = {}, pauses = {} } end
  return setmetatable({
    dialect = dialect, ops = {}, by_id = {}, by_time = {}, clients = {}, nodes = nodes, reads = {},
  }, methods)
end

--- How a time is written here.
function M.time(millis, counter, node) return ("%.0f:%.0f:%s"):format(millis, counter, node) end

--- The value that an operation writes: which one it is, and bytes that follow from
--- it, so that a value that was damaged is noticed.
---@param id string
function M.value(id) return { op = id, pad = id:rep(tonumber(id:match "%d+$") % 12) } end

--- The operation that wrote this value, or nil when nobody wrote it.
---@return string|nil id
function M.written_by(value)
  local id = type(value) == "table" and value.op
  if type(id) ~= "string" or not id:find "%-%d+$" then return nil end
  local expected = M.value(id)
  for name, field in pairs(value) do
    if field ~= expected[name] then return nil end
  end
  return value.pad ~= nil and id or nil
end

--- The client of this name; a second call is a second life of it.
function methods:client_started(name, now)
  local client = self.clients[name]
  if not client then
    client = { name = name, order = 0, maps = {}, connections = {}, losses = {}, starts = {} }
    self.clients[name] = client
  end
  client.starts[#client.starts + 1] = now
  return client
end

---@return chaos.operation
function methods:invoke(client_name, key, kind, now)
  local client = self.clients[client_name]
  client.order = client.order + 1
  local op = {
    id = client_name .. "-" .. client.order, client = client_name, order = client.order, key = key, kind = kind,
    invoked = now, settled = 0,
  }
  self.ops[#self.ops + 1] = op
  self.by_id[op.id] = op
  return op
end

function methods:recorded(op, time, now)
  op.recorded, op.time = now, time
  self.by_time[time] = op
end

function methods:acked(op, node, now)
  op.acked, op.node, op.settled = now, node, op.settled + 1
end

function methods:failed(op, code, now)
  op.failed, op.failed_at, op.settled = code, now, op.settled + 1
end

function methods:node_started(id, now) table.insert(self.nodes[id].starts, now) end
function methods:node_ended(id, now) table.insert(self.nodes[id].ends, now) end
function methods:node_paused(id, now) table.insert(self.nodes[id].pauses, now) end

return M
