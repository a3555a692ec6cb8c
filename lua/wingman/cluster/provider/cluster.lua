--- The provider for a cluster: many nodes, every key owned by one of them. It
--- learns which connection is which node by asking, keeps the partition map and
--- the hash known, and has the routing policy fill the route table whenever one of
--- them changes: `recompute` is the only place where routes change.
local circuits_module = require "wingman.cluster.circuit_breakers"
local core_module = require "wingman.core"
local discovery = require "wingman.cluster.provider.discovery"
local emitter = require "wingman.base.emitter"
local failover = require "wingman.cluster.failover_log"
local identity = require "wingman.cluster.provider.identity"
local key_route = require "wingman.cluster.key_route"
local connections_module = require "wingman.cluster.connections"
local log_throttle = require "wingman.loop.log_throttle"
local listeners_module = require "wingman.cluster.listening.listeners"
local loop = require "wingman.loop"
local map_requests = require "wingman.cluster.map_refresh"
local merkle_walk = require "wingman.cluster.merkle_walk"
local requests_module = require "wingman.cluster.requests"
local routes = require "wingman.cluster.provider.route_updates"
local sorted = require "wingman.base.sorted"

local M = {}

--- A start does not wait longer than this for seeds that answer nothing once
--- everything else is known (seconds).
local STRAGGLERS = 1

---@class wingman.cluster_provider
---@field map table|nil  the held partition map, as core:partition_map() gives it
---@field routed integer  partitions that have a route
---@field answered wingman.answered_inputs|nil  what the routes were made from
---@field discovery_is_over boolean  see wingman.cluster.provider.discovery
---@field hash_kind string|nil
---@field hash_how string|nil  how the hash was found
---@field hash_conflict wingman.error|nil  the nodes hash differently
---@field hashes table<string, string>  what each node has shown, by its id
local methods = {}
methods.__index = methods

local function log(self, level, event, fields) self.options.log_to(level, event, fields) end

--- The nodes that can be used, by their ids.
---@return table<string, wingman.node>
function methods:nodes_by_id()
  local found = {}
  for _, node in ipairs(self.connections.nodes) do
    if node.id and node.usable then found[node.id] = node end
  end
  return found
end

--- Brings the route table in line: after every change of the map, of a node's
--- health, or of what is known about the cluster.
---@param is_map_chosen boolean|nil  the core has chosen the map to believe just now
function methods:recompute(is_map_chosen) routes.recompute(self, is_map_chosen) end

--- Another routing policy, or the same once more: it is asked about all partitions at once.
---@param policy function
function methods:set_routing(policy)
  self.routing, self.answered = policy, nil
  self:recompute()
end

--- Finds the hash in the background: each node is asked, once at a time.
function methods:find_hash() identity.find_hash(self) end

-- State -------------------------------------------------------------------------------

--- Whether operations are routed by what is known about the cluster.
function methods:is_routing_active()
  return self.routed > 0 and (self.mapless ~= nil or (self.map ~= nil and self.hash_kind ~= nil))
end

local function state_of(self, counts)
  if self:is_routing_active() then return "CONNECTED" end
  if counts.ready then return "SYNCING" end
  if counts.authenticating then return "AUTHENTICATING" end
  if counts.connecting then return "CONNECTING" end
  if counts.backoff then return "BACKOFF" end
  if counts.refused or counts.given_up then return "ERROR" end
  return "DISCONNECTED"
end

local function is_complete(self) return self.routed == self.core:partition_count() end

--- Derives the state of the whole from its parts, and settles a start that waits.
function methods:update_state()
  if self.closed then return end
  local state = state_of(self, self.connections:count_states())
  self.state:set(state, state == "ERROR" and self.connections:reasons() or nil)
  discovery.connect_unseen(self)
  discovery.note_end(self)
  if not self.started then return end
  if self.hash_conflict then
    self.started:resolve(false)
  elseif state == "CONNECTED" then
    if is_complete(self) or (discovery.seeds_settled(self) and next(self.asking_hash) == nil) then
      self.started:resolve(true)
    elseif not self.straggler_timer then
      self.straggler_timer = loop.timer(STRAGGLERS, function() self.started:resolve(true) end)
    end
  elseif state == "ERROR" then
    self.started:resolve(false)
  end
end

-- Events of connections ---------------------------------------------------------------

local function on_ready(self, connection)
  if connection.node.twin_of and not connection.node.twin_of.usable then connection.node.twin_of = nil end
  self.map_refresh:node_connected(connection.node.index)
  loop.spawn(identity.identify, self, connection)
end

local function on_lost(self, connection, reason, code, detail, was_ready)
  local node = connection.node
  self.requests:connection_lost(connection.id)
  local was_usable = connection.usable
  connection.usable = false
  node.unidentified = nil
  node.usable = false
  for _, connection_id in ipairs(node.connection_ids) do node.usable = node.usable or self.connections.by_id[connection_id].usable end
  if was_ready and not node.usable then
    for _, other in ipairs(self.connections.nodes) do
      if other.twin_of == node then
        other.twin_of = nil
        self.connections:connect(other)
      end
    end
  end
  if not node.usable then
    self.failovers:lost(node, reason, detail)
    self.listeners:node_lost(node)
  end
  self.circuits:failure(node, was_usable and "lost" or "connect", reason)
  self:recompute()
  if was_usable then
    self.map_refresh:map_is_old()
    self.events:emit("node_lost", { id = node.id, url = node.url, reason = reason, code = code, detail = detail })
  end
end

local function owners_of(map)
  local owners = {}
  for _, id in ipairs(map and map.owners or {}) do
    if id then owners[id] = true end
  end
  return owners
end

if jit then jit.off(owners_of) end

-- A node that was given partitions again is back: no reason to wait for the next
-- try. (Being listed says little: a v2 server lists dead nodes too.)
local function connect_returned(self, before)
  local owned, owns = owners_of(before), owners_of(self.map)
  for _, node in ipairs(self.connections.nodes) do
    if node.id and owns[node.id] and not owned[node.id] and not node.twin_of then self.connections:hurry(node) end
  end
end

-- Interface -----------------------------------------------------------------------------

local function what_is_missing(self)
  if self.state.current ~= "SYNCING" then return "no node could be reached" end
  if not self.map then return "connected, but no partition map came" end
  if self.hash_conflict then return self.hash_conflict.message end
  if not self.hash_kind then return "the cluster's hash is not known: " .. (self.hash_problem or "still looking") end
  return "no partition has a route: the routing policy holds all of them, or their nodes cannot be reached"
end

--- Starts connecting. True once operations can flow (authenticated, map and hash
--- known, routes computed), or nil and why not. Waits.
---@param timeout number seconds
---@return boolean|nil ok, string|nil reason
function methods:connect(timeout)
  self.started = loop.future()
  for _, node in ipairs(self.connections.nodes) do self.connections:connect(node) end
  self:update_state()
  local ok = self.started:wait(timeout)
  if self.straggler_timer then self.straggler_timer:cancel() end
  self.started = nil
  if ok or self:is_routing_active() then return true end
  return nil, what_is_missing(self) .. ": " .. self.connections:reasons()
end

--- Takes one event of the core; true when it was for the provider.
function methods:handle(event, connection_id, a, b, flag, text)
  if self.listeners:handle(event, connection_id, a, b, flag, text) then return true end
  if self.connections:handle(event, connection_id, a, b, flag, text) then return true end
  if event == "map" then
    local before = self.map
    if flag then
      self.map = self.core:partition_map()
      self.failovers:map_received()
    end
    self:recompute(true)
    self.map_refresh:answered(flag)
    if not flag then return true end
    connect_returned(self, before)
    self.events:emit("map_changed", { version = a, nodes = #self.map.nodes })
    return true
  elseif event == "map_error" then
    log(self, "warn", "partition_map_refused", { reason = text, node = self.connections.by_id[connection_id].node.url })
    self.map_refresh:route_missed()
    return true
  end
  return false
end

--- Takes a decoded message; true when somebody here waited for it.
function methods:offer(connection_id, message) return self.requests:offer(connection_id, message) end

--- Sends pending operations: each to the node that its key's route names, one
--- OP_BATCH per node. Returns which keys have a route: `false` for those that
--- stay pending without one; a key that is not listed is on its way.
---@param operations wingman.operations
---@return table<string, boolean>
function methods:send_batch(operations)
  self.core:flush()
  local _, _, held = self.core:pending()
  if held == 0 then return {} end
  local results = operations:newly_held()
  if self.map and next(results) then self.map_refresh:route_missed() end
  return results
end

--- Sends a message to the node that the key's route names, or to any node
--- without a key. True, or nil, err.
---@param message table
---@param key string|nil
function methods:send(message, key)
  local node = key and self:node_of(key) or self:any_node()
  if not node then return nil, "no node for it is connected" end
  local bytes, err = core_module.encode(message)
  if not bytes then return nil, err end
  return self.core:send(node.connection_ids[1], bytes)
end

--- The node that a key's operations go to now; nil while they are held.
---@param key string
---@return wingman.node|nil
function methods:node_of(key)
  if self.closed then return nil end
  local node_index = self.index_of_key(key)
  return node_index >= 0 and self.connections.by_index[node_index] or nil
end

--- The node that owns a key by the partition map; nil while it is not connected, or not known. And its id.
---@param key string
---@return wingman.node|nil node, string|nil id
function methods:owner_of(key)
  if self.closed then return nil end
  if not self.map then return self.mapless and self.mapless.usable and self.mapless or nil end
  local id = self.map.owners[self.core:partition_of(key) + 1] or nil
  for _, node in ipairs(self.connections.nodes) do
    if id and node.id == id and node.usable then return node, id end
  end
  return nil, id
end

--- The map whose root is asked for on a connection.
---@param connection_id integer
---@return string
function methods:root_map(connection_id)
  return merkle_walk.askable_map(self.core, connection_id, self.map_names(), self.options.probe_map)
end

--- The node of a connection, whichever kind it is.
---@param connection_id integer
---@return wingman.node|nil
function methods:node_at(connection_id)
  return self.connections.by_index[self.core:node_of(connection_id)]
end

--- Some node that can be used.
---@return wingman.node|nil
function methods:any_node()
  for _, node in ipairs(self.connections.nodes) do
    if node.usable then return node end
  end
end

--- Ids of the nodes that can be used, sorted.
---@return string[]
function methods:connected_nodes() return sorted.keys(self:nodes_by_id()) end

--- The usable nodes themselves.
---@return wingman.node[]
function methods:nodes()
  local list = {}
  for _, id in ipairs(self:connected_nodes()) do list[#list + 1] = self:nodes_by_id()[id] end
  return list
end

function methods:is_connected() return self.state.current == "CONNECTED" end
function methods:on(event, fn) self.events:on(event, fn) end
function methods:off(event, fn) self.events:off(event, fn) end

--- A new token; nodes that refused the old one are tried at once.
function methods:set_token(token) self.connections:set_token(token) end

--- Ends timers and waits. The sockets close with the core client.
function methods:close()
  if self.closed then return end
  self.closed = true
  self.connections:close()
  self.listeners:close()
  self.map_refresh:close()
  self.circuits:close()
  self.requests:close()
  for _, name in ipairs { "straggler_timer", "hash_timer" } do
    if self[name] then self[name]:cancel() end
  end
  if self.started then self.started:resolve(false) end
  self.state:set("DISCONNECTED", "closed")
end

--- A node answered batches with an error, or not in time.
---@param node wingman.node
---@param reason string
function methods:refused(node, reason) self.circuits:failure(node, "refused", reason) end

--- A server said that what was sent to it belongs elsewhere.
function methods:map_is_old() self.map_refresh:map_is_old() end

local function circuit_changed(self, node, state, reason)
  log(self, state == "open" and "warn" or "info", "circuit_" .. state, { node = node.id, url = node.url, reason = reason })
  if state == "open" then self.failovers:lost(node, "circuit", reason) end
  self:recompute()
  self.events:emit("circuit", { node = node.id, url = node.url, state = state, reason = reason })
end

local function request_map(self, node_index)
  local node = self.connections.by_index[node_index]
  local version = self.core:version_of(node_index)
  local message = { type = "PARTITION_MAP_REQUEST", payload = {} }
  if version > 0 then message.payload.currentVersion = version end
  local bytes = core_module.encode(message)
  for _, connection_id in ipairs(bytes and node.connection_ids or {}) do
    if self.core:send(connection_id, bytes) then
      self.failovers:map_asked()
      return true
    end
  end
  return false
end

-- No map came. With a version that is "current"; without any map it is what a
-- lone v2 node does, which owns everything.
local function on_silence(self, node_index)
  if self.closed then return end
  if self.map then
    local node = self.connections.by_index[node_index]
    if node and node.usable then self.core:confirm_map(node_index) end
    if not self.core:choose_map() then return end
    self.map = self.core:partition_map()
    return self:recompute(true)
  end
  local usable = {}
  for _, node in pairs(self:nodes_by_id()) do usable[#usable + 1] = node end
  if #usable == 1 and usable[1].index == node_index and usable[1].dialect == "v2" and discovery.seeds_settled(self) then
    self.mapless = usable[1]
    return self:recompute()
  end
  self.map_refresh:ask_any()
end

---@param core userdata  wingman.core.client
---@param options table  checked options
---@param policies { routing: function, reconnect: function, endpoint: function }
---@param state wingman.connection_state
---@param map_names fun(): string[]  maps that the client uses, to ask nodes for their roots
---@return wingman.cluster_provider|nil, string|nil
function M.new(core, options, policies, state, map_names)
  local self = setmetatable({
    core = core,
    options = options,
    routing = policies.routing,
    endpoint = policies.endpoint,
    state = state,
    map_names = map_names,
    events = emitter.new(),
    log_seldom = log_throttle.new(function(...) options.log_to(...) end),
    requests = requests_module.new(core),
    index_of_key = key_route.new(core),
    hashes = {},
    hash_is_old = {},
    asking_hash = {},
    seeds = {},
    routed = 0,
    discovery_is_over = false,
  }, methods)
  self.failovers = failover.new {
    core = core,
    completed = function(record) self.events:emit("failover", record) end,
  }
  self.connections = connections_module.new(core, options, policies.reconnect, {
    ready = function(connection) on_ready(self, connection) end,
    lost = function(connection, ...) on_lost(self, connection, ...) end,
    changed = function() self:update_state() end,
    auth_failed = function(connection, message) self.events:emit("auth_failed", connection.node, message) end,
    log = function(...) options.log_to(...) end,
  })
  self.listeners = listeners_module.new(core, options, policies.reconnect, self.requests, {
    beside = self.connections,
    nodes = function() return self:nodes() end,
    id_of = function(node) return node.id end,
    root_map = function(connection_id) return self:root_map(connection_id) end,
    auth_failed = function(...) self.events:emit("auth_failed", ...) end,
  })
  if options.hash ~= "auto" then
    self.hash_kind, self.hash_how = options.hash, "set by the option hash"
    core:set_hash(options.hash)
  end
  local urls = {}
  for _, url in ipairs(options.cluster.seeds or {}) do urls[#urls + 1] = url end
  for _, url in pairs(options.cluster.nodes or {}) do urls[#urls + 1] = url end
  for _, url in ipairs(urls) do
    if not discovery.is_known_url(self, url) then
      local node, err = self.connections:add(url, true)
      if not node then return nil, err end
      self.seeds[#self.seeds + 1] = url
    end
  end
  self.circuits = circuits_module.new(policies.circuit, options.unanswered or options.batch.ack_timeout / 2, {
    core = core,
    nodes = function() return self.connections.nodes end,
    ask = function(node, timeout)
      return merkle_walk.root(self.requests, node.connection_ids[1], self:root_map(node.connection_ids[1]), timeout)
    end,
    changed = function(...) circuit_changed(self, ...) end,
    log = function(...) options.log_to(...) end,
  })
  self.map_refresh = map_requests.new(options.map_requests, {
    send = function(node_index) return request_map(self, node_index) end,
    ready_indexes = function() return self.connections:ready_indexes() end,
    has_map = function() return self.map ~= nil end,
    route_is_missing = function()
      local _, _, held = core:pending()
      return held > 0
    end,
    silent = function(node_index) on_silence(self, node_index) end,
    log = function(...) options.log_to(...) end,
  })
  return self
end

return M
