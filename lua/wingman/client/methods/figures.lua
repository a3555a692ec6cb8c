--- What can be read of a client: single facts, counters, how everything is.
local abilities = require "wingman.client.health.abilities"
local backlog = require "wingman.client.health.backlog"
local nearest = require "wingman.base.nearest"
local warnings = require "wingman.client.health.warnings"

---@class wingman.client
local methods = {}

---@class wingman.partition_map
---@field version integer  as the node counts that sent it
---@field generated_at number  Unix ms
---@field source integer       index of the node that sent it
---@field partition_count integer  how many partitions there are
---@field nodes { id: string, endpoint: string, status: string }[]  the members
---@field owners (string|false)[]  node ids by partition + 1; false: no node
---@field backups string[][]       the same

---@class wingman.node_health
---@field id string|nil       nil while it is not known
---@field url string  without the values of its query
---@field state string  of its first connection: "idle", "connecting", "authenticating" or "ready"
---@field dialect string  "0.11", "v2" or "unknown"
---@field release string      "0.11", "2.2.0", "head" or "unknown"
---@field rtt number            round trip of the last heartbeat in seconds; 0 before the first
---@field usable boolean  operations can be sent to it
---@field connects integer  how often its first connection was established
---@field circuit string  state of its circuit breaker: "closed", "open" or "half_open"
---@field listening string      state of its listening connection: "off" until one is needed, "ready", or what it is about to become ready
---@field last_reason string|nil  why its last connection ended
---@field losses table<string, integer>  how often its connections ended, by reason
---@field pending_ops integer  operations that wait to be sent on its first connection
---@field in_flight_ops integer  operations on it that are sent and not acknowledged
---@field index integer  its number in the core
---@field stats table  what was sent to it and acknowledged: ops_sent, ops_acked, batches_sent, bytes_sent, bytes_acked

---@class wingman.health
---@field state string  "DISCONNECTED" (nothing is tried), "CONNECTING", "AUTHENTICATING", "SYNCING" (node ids, partition map or
---  hash are not known yet), "CONNECTED", "BACKOFF" (a try is due later) or "ERROR" (given up); also in the event `state`
---@field connected integer  number of nodes that can be used
---@field routing_active boolean  operations are routed by partition
---@field pending_ops integer  operations that are recorded and not acknowledged
---@field unverified_ops integer  acknowledged writes that a membership change of a 0.11 cluster has put in doubt
---@field dead_letters integer  rejected writes that are kept
---@field nodes wingman.node_health[]  every node that is known
---@field warnings { code: string, message: string }[]  what the options cost on this cluster; each says what to do

--- How operations were routed: direct_routes, fallback_routes, partition_misses,
--- total_routes.
---@return { direct_routes: integer, fallback_routes: integer, partition_misses: integer, total_routes: integer }
function methods:routing_metrics() return self.core:routing_metrics() end
--- Sets the counters of routing_metrics to 0.
function methods:reset_routing_metrics() self.core:reset_routing_metrics() end

--- Whether operations are routed by partition.
---@return boolean
function methods:is_routing_active()
  return self.provider ~= nil and self.provider:is_routing_active()
end

--- The ids of the nodes that can be used (of a single server its URL while its id is not known).
---@return string[]
function methods:connected_nodes() return self.provider and self.provider:connected_nodes() or {} end

--- How many operations are recorded and not acknowledged.
---@return integer
function methods:pending_ops() return (self.core:pending()) end

--- Counts the operations that are recorded and not acknowledged: pending (all of them), and of these
--- held (without a route), queued (not sent yet) and sent (not acknowledged yet). `unverified` ones are
--- not among them.
---@return wingman.backlog
function methods:backlog() return backlog.of(self) end

--- What the client knows for routing: map version, partitions, nodes, hash, held operations; and what that took.
--- `maps_seen`: partition maps that were used so far; `maps_decoded`: those whose list of partitions was read,
--- because no other node had sent the same one; `route_changes`: how often a partition's operations were given
--- another connection, or none.
---@return table
function methods:router_stats()
  local version, generation, decoded = self.core:map_version()
  local _, _, held = self.core:pending()
  local provider = self.provider or {}
  local map = provider.map
  return {
    map_version = version, maps_seen = generation, maps_decoded = decoded, partition_count = self.core:partition_count(),
    node_count = map and #map.nodes or 0, routed_partitions = provider.routed or 0, held_ops = held,
    hash = provider.hash_kind or "unknown", hash_found = provider.hash_how,
    map_requests = provider.map_refresh and provider.map_refresh.sent or 0, route_changes = self.core:route_changes(),
  }
end

local function copy(counts)
  local result = {}
  for name, count in pairs(counts) do result[name] = count end
  return result
end

--- The client's state, its nodes, partition map and op log. `warnings`: what the options cost on this cluster
--- (wingman.client.health.warnings), `unverified_ops`: acknowledged writes that a membership change
--- of a 0.11 cluster has put in doubt.
---@return wingman.health
function methods:health()
  local nodes = {}
  for _, node in ipairs(self.provider and self.provider.connections.nodes or {}) do
    local info = self.core:connection_info(node.connection_ids[1])
    nodes[#nodes + 1] = {
      id = node.id, url = node.url, state = info.state, dialect = info.dialect, release = info.release, rtt = info.rtt,
      usable = node.usable or info.state == "ready", connects = info.connects,
      listening = self.listeners:state_of(node),
      circuit = self.provider.circuits and self.provider.circuits:state_of(node) or "closed", last_reason = node.last_reason,
      losses = copy(node.losses),
      pending_ops = info.pending_ops, in_flight_ops = info.in_flight_ops,
      index = node.index, stats = self.core:node_stats(node.index),
    }
  end
  return {
    state = self.state.current, connected = #self:connected_nodes(), routing_active = self:is_routing_active(),
    pending_ops = self:pending_ops(), dead_letters = (self.core:rejected_stats()), nodes = nodes, warnings = warnings.of(self),
    unverified_ops = self.core:stats().ops_unverified + self.core:unverified(),
  }
end

--- The last hundred node losses, the oldest first, each with the times of the failover's steps. The event
--- `failover` reports each once it is overcome.
---@return wingman.failover[]
function methods:failovers() return self.provider and self.provider.failovers:list() or {} end

--- Counters since the client was made (wm_client_stats in core/client/client.h); `losses`: how often connections ended or could
--- not be made, by reason (WM_END_REASONS in core/net/end_reason.h lists them); and the
--- distributions of ack latency (seconds) and batch sizes (operations). `callback_errors`:
--- errors in functions of the script that the client called: listeners, on_ack, policies, the token function.
---@return table
function methods:stats()
  local stats = self.core:stats()
  stats.callback_errors = self.callback_errors or 0
  stats.ack_latency, stats.batch_sizes = self.core:distributions()
  stats.dead_letters, stats.dead_letters_displaced = self.core:rejected_stats()
  stats.losses = copy(self.provider and self.provider.connections.losses or {})
  return stats
end

--- The server family: "0.11", "v2", or "unknown" before the first connection;
--- "mixed" when nodes differ.
---@return string
function methods:dialect()
  local found
  for _, node in ipairs(self.provider and self.provider.connections.nodes or {}) do
    if node.dialect then found = (found == nil or found == node.dialect) and node.dialect or "mixed" end
  end
  return found or "unknown"
end

--- Which server of its family answers: "0.11", "2.2.0", "head" (the source of August 2026), or "unknown"; "mixed" when
--- nodes differ. A v2 cluster that asks for no token is known by the answer to a question, or, being 2.2.0, by none until
--- the second heartbeat.
---@return string
function methods:release()
  local found
  for _, node in ipairs(self.provider and self.provider.connections.nodes or {}) do
    local release = self.core:connection_info(node.connection_ids[1]).release
    if release ~= "unknown" then found = (found == nil or found == release) and release or "mixed" end
  end
  return found or "unknown"
end

-- The releases of the connected nodes, as keys, and their number.
local function releases_of(self)
  local releases, count = {}, 0
  for _, node in ipairs(self.provider and self.provider:nodes() or {}) do
    releases[self.core:connection_info(node.connection_ids[1]).release] = true
    count = count + 1
  end
  return releases, count
end

--- Whether the servers of this cluster have what a script relies on: true, or false and why not, with the family and
--- version that lacks it. Of nodes of several versions all have to have it. False while no node is connected, or while its version is
--- not known. Raises for any other name than these:
---
--- `announced_changes`: nodes announce each change of a map with its value. `backups`: a record has a copy on another node.
--- `restarts`: a node has its records again after a restart, with disk storage. `tombstones`: a removal leaves a mark, which
--- wins over older writes. `writers_times`: of two writes the one with the newer time of its writer wins.
---@param name "announced_changes"|"backups"|"restarts"|"tombstones"|"writers_times"
---@return boolean
---@return string|nil why
function methods:supports(name)
  if not abilities.list[name] then
    error(("client:supports: there is no '%s'%s"):format(tostring(name), nearest.hint(tostring(name), abilities.list)), 2)
  end
  local releases, count = releases_of(self)
  if count == 0 then return false, "no node is connected" end
  if releases.unknown then return false, name .. ": the version of a node is not known yet" end
  local map = self:partition_map()
  for release in pairs(releases) do
    local has, why = abilities.has(name, release, map and #map.nodes or count)
    if not has then return false, why end
  end
  return true
end

--- The partition map in use: version, nodes, owners[partition + 1]; nil when there is none.
---@return wingman.partition_map|nil
function methods:partition_map() return self.provider and self.provider.map end
--- The partition of a key.
---@return integer
function methods:partition_of(key) return self.core:partition_of(key) end
--- The embedded cluster of sim://N or topgun://N, to kill and restart nodes; nil
--- for other clusters. The one of topgun://N has the methods of wingman.topgun.cluster, which are fewer.
---@return wingman.sim.cluster|nil
function methods:cluster() return self.embedded end

return methods
