--- What a failure shows of the clients that are open, and what they logged last.
local open_clients = require "wingman.client.open_clients"
local printer = require("wingman.text.printer").new {}

local M = {}

--- Lines of the log that are shown.
local LINES = 20

local watched -- the cluster whose log is shown

--- From now on a failure shows the last lines of `shared.log`; of none when it is nil.
---@param shared spec.shared_cluster|nil
function M.watch(shared) watched = shared end

-- "never lost", or "lost: 2 heartbeat, 1 network"
local function losses_of(node)
  local parts = {}
  for reason, count in pairs(node.losses or {}) do parts[#parts + 1] = count .. " " .. reason end
  table.sort(parts)
  return parts[1] and "lost: " .. table.concat(parts, ", ") or "never lost"
end

-- "node-2 ws://127.0.0.1:9000: ready, usable, circuit closed, 3 pending, 0 in flight, lost: 2 heartbeat"
local function node_line(node)
  return ("    %s %s: %s%s, circuit %s, %d pending, %d in flight, %s"):format(node.id or "?", node.url, node.state,
    node.usable and ", usable" or "", node.circuit, node.pending_ops, node.in_flight_ops, losses_of(node))
end

local function add_clients(lines)
  for i, one in ipairs(open_clients.list()) do
    local health = one:health()
    local map = one:partition_map()
    lines[#lines + 1] = ("  client %d: %s, %d nodes connected, map version %s, backlog %s"):format(i, health.state,
      health.connected, map and map.version or "none", printer:format(one:backlog()))
    for _, node in ipairs(health.nodes) do lines[#lines + 1] = node_line(node) end
  end
end

local function add_log(lines)
  local log = watched and watched.log or {}
  if #log == 0 then return end
  lines[#lines + 1] = ("  the last %d of %d log lines:"):format(math.min(#log, LINES), #log)
  for i = math.max(1, #log - LINES + 1), #log do
    local line = log[i]
    local text = ("%s %s %s"):format(line.level, line.event, printer:format(line.fields))
    lines[#lines + 1] = "    " .. text:gsub("\n", "\n    ")
  end
end

--- Lines without the last line end; "" when there is nothing to show.
---@return string
function M.text()
  local lines = {}
  add_clients(lines)
  add_log(lines)
  return table.concat(lines, "\n")
end

return M
