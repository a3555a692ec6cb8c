--- The nodes of a cluster, as a client sees them.
local escape = require "wingman.base.escape"
local url = require "wingman.base.url"
local text_table = require "wingman.text.table"
local view = require "wingman.inspect.view"

local M = {}

---@class wingman.inspect.node
---@field id string|nil       nil until it is known
---@field url string          as advertised for a node that is not connected
---@field state string        ready, connecting, authenticating, idle, "not connected"
---@field circuit string      closed, open, half_open
---@field rtt number|nil      seconds; nil before the first heartbeat
---@field partitions integer  that it owns
---@field backups integer     that it is a backup of
---@field in_flight integer   operations sent and not acknowledged
---@field queued integer      operations in its send queue
---@field acknowledged integer  operations that it has acknowledged
---@field reason string|nil   why the last connection ended

local function count_owned(map)
  local owned, backups = {}, {}
  for p = 1, map and map.partition_count or 0 do
    local owner = map.owners[p]
    if owner then owned[owner] = (owned[owner] or 0) + 1 end
    for _, id in ipairs(map.backups[p]) do backups[id] = (backups[id] or 0) + 1 end
  end
  return owned, backups
end

local function connected(node, owned, backups)
  return {
    id = node.id, url = node.url, state = node.state, circuit = node.circuit,
    rtt = node.rtt > 0 and node.rtt or nil,
    partitions = owned[node.id] or 0, backups = backups[node.id] or 0,
    in_flight = node.in_flight_ops, queued = node.pending_ops, acknowledged = node.stats.ops_acked,
    reason = node.last_reason,
  }
end

local headings = { "node", "state", "round trip", "circuit", "partitions", "backups", "in flight", "queued", "acknowledged", "url" }
local colours = { ready = "good", connected = "good", closed = "good", open = "error", half_open = "warning", idle = "error" }

--- Columns that are left out on a narrow screen, in this order.
local dispensable = { "url", "backups", "queued", "acknowledged" }

local function without(rows, heading)
  for c, name in ipairs(rows[1]) do
    if name == heading then
      for _, row in ipairs(rows) do table.remove(row, c) end
      return
    end
  end
end

local function fitted(rows, width)
  local text = text_table.format(rows, { heading = true })
  for _, heading in ipairs(dispensable) do
    local widest = 0
    for line in text:gmatch "[^\n]+" do widest = math.max(widest, escape.width(line)) end
    if widest <= width then break end
    without(rows, heading)
    text = text_table.format(rows, { heading = true })
  end
  return text
end

local function render(list, paint, width)
  if #list == 0 then return "no nodes\n" end
  local rows = { { unpack(headings) } }
  for _, node in ipairs(list) do
    local state = node.state
    if state ~= "ready" and node.reason then state = state .. " (" .. node.reason .. ")" end
    rows[#rows + 1] = {
      escape.plain(node.id or "?"), state, node.rtt and text_table.duration(node.rtt) or "-", node.circuit,
      node.partitions, node.backups, node.in_flight, node.queued, node.acknowledged, escape.plain(node.url),
    }
  end
  local text = fitted(rows, width)
  local heading, rest = text:match "^([^\n]*\n)(.*)$"
  rest = rest:gsub("%f[%w_][%a_]+%f[^%w_]", function(word) return colours[word] and paint(colours[word], word) end)
  return paint("heading", heading:sub(1, -2)) .. "\n" .. rest
end

--- Every node that is or was connected, or is in the partition map.
---@param client wingman.client
---@return wingman.inspect.node[]
function M.of(client)
  local map = client:partition_map()
  local owned, backups = count_owned(map)
  local list, shown = {}, {}
  for _, node in ipairs(client:health().nodes) do
    list[#list + 1] = connected(node, owned, backups)
    shown[node.id or ""] = true
  end
  for _, node in ipairs(map and map.nodes or {}) do
    if not shown[node.id] then
      list[#list + 1] = {
        id = node.id, url = node.endpoint and url.shown(node.endpoint), state = "not connected", circuit = "closed", partitions = owned[node.id] or 0,
        backups = backups[node.id] or 0, in_flight = 0, queued = 0, acknowledged = 0,
      }
    end
  end
  table.sort(list, function(a, b) return (a.id or a.url) < (b.id or b.url) end)
  return view.of(list, render)
end

local orders = { kill = true, restart = true, pause = true, resume = true, stop_node = true }

--- Gives an embedded cluster (sim://, topgun://) an order. Waits.
---@param client wingman.client
---@param order "kill"|"restart"|"pause"|"resume"|"stop_node"
---@param id string|integer  a node id, or 2 for node-2
---@return true|nil, wingman.error|nil
function M.order(client, order, id)
  local cluster = client:cluster()
  if not cluster then error("inspect.sim: the cluster is not an embedded one (sim://N, topgun://N)", 2) end
  if not orders[order] then error(("inspect.sim: '%s' is none of kill, restart, pause, resume, stop_node"):format(tostring(order)), 2) end
  if tonumber(id) then id = (cluster.nodes[tonumber(id)] or {}).id or id end
  if type(id) ~= "string" then error("inspect.sim: a node is expected: its id or its number", 2) end
  return cluster[order](cluster, id)
end

return M
