--- What a node says of itself and its cluster, on a connection of its own. Nothing is written
--- to a v2 node; a 0.11 node may be sent one record that expires (see wingman.cluster.hash_probe).
local client_module = require "wingman.client"
local errors = require "wingman.base.error"
local loop = require "wingman.loop"
local membership = require "wingman.testbed.topgun.membership"
local url_module = require "wingman.base.url"

local M = {}

--- Heartbeat of the connection (seconds): the answer to the first PING is
--- the round-trip time.
local HEARTBEAT = 0.05
--- Seconds of silence after a map request that mean that the node has no map.
local MAP_SILENCE = 0.3

---@class wingman.node_report
---@field url string         as people may see it: without the values of its query
---@field dialect "v2"|"0.11"|"unknown"
---@field node_id string|nil
---@field hash string         "fnv1a", "xxh64" or "unknown"
---@field hash_found string|nil  how it was found
---@field map_version integer|nil  nil when the node has no map
---@field partition_count integer|nil
---@field nodes { id: string, endpoint: string, partitions: integer }[]|nil  members by the node's map
---@field rtt number|nil      seconds

local function members(map)
  local owned = {}
  for _, id in ipairs(map.owners) do
    if id then owned[id] = (owned[id] or 0) + 1 end
  end
  local nodes = {}
  for _, node in ipairs(map.nodes) do
    nodes[#nodes + 1] = { id = node.id, endpoint = node.endpoint, partitions = owned[node.id] or 0 }
  end
  table.sort(nodes, function(a, b) return a.id < b.id end)
  return nodes
end

local function only_here() return nil end

--- Asks one node, on a connection of its own. Waits.
---@param url string
---@param options { token: string|function|nil, tls: table|nil, timeout: number|nil }|nil  without a
---  token and TLS those of the command line
---@return wingman.node_report|nil, wingman.error|nil
function M.ask(url, options)
  options = options or {}
  local made, client = pcall(client_module.new, {
    cluster = { seeds = { url } },
    auth = options.token and { token = options.token } or nil,
    tls = options.tls,
    endpoint = only_here,
    reconnect = only_here,
    start_timeout = options.timeout or 5,
    heartbeat = { interval = HEARTBEAT },
    map_requests = { answer_timeout = MAP_SILENCE, debounce = 0 },
    log_to = function() end,
  })
  if not made then return nil, errors.new("USAGE", tostring(client)) end
  local started, err = client:start()
  if not started then
    client:close()
    return nil, err
  end
  local rtt = loop.wait_until(function()
    local node = client:health().nodes[1]
    return node.rtt > 0 and node.rtt or nil
  end, 1)
  local map, router = client:partition_map(), client:router_stats()
  local answer = {
    url = url_module.shown(url), dialect = client:dialect(), node_id = client:connected_nodes()[1], hash = router.hash,
    hash_found = router.hash_found, map_version = map and map.version, partition_count = map and map.partition_count,
    nodes = map and members(map), rtt = rtt,
  }
  client:close()
  return answer
end

membership.ask_with(M.ask)

return M
