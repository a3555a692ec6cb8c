--- The provider for one server: everything goes to it, exactly as if no cluster
--- existed. It has no `send_batch`: the engine hands it all pending operations and
--- they leave as one OP_BATCH.
local core_module = require "wingman.core"
local emitter = require "wingman.base.emitter"
local failover = require "wingman.cluster.failover_log"
local connections_module = require "wingman.cluster.connections"
local listeners_module = require "wingman.cluster.listening.listeners"
local loop = require "wingman.loop"
local merkle_walk = require "wingman.cluster.merkle_walk"
local requests_module = require "wingman.cluster.requests"

local M = {}

--- Asked of every connection: a server of a cluster answers, and a lone one of 0.11.
local MAP_REQUEST = core_module.encode { type = "PARTITION_MAP_REQUEST", payload = {} }

---@class wingman.single_server_provider
---@field cluster_size integer|nil  nodes of the server's cluster, once it has sent its partition map
local methods = {}
methods.__index = methods

local function update_state(self)
  if self.closed then return end
  local counts = self.connections:count_states()
  local state = counts.ready and "CONNECTED" or counts.authenticating and "AUTHENTICATING"
    or counts.connecting and "CONNECTING" or counts.backoff and "BACKOFF"
    or (counts.refused or counts.given_up) and "ERROR" or "DISCONNECTED"
  self.state:set(state, state == "ERROR" and self.connections:reasons() or nil)
  if not self.started then return end
  if state == "CONNECTED" then self.started:resolve(true)
  elseif state == "ERROR" then self.started:resolve(false) end
end

--- Starts connecting. True once operations can flow, or nil and why not. Waits.
---@param timeout number seconds
function methods:connect(timeout)
  self.started = loop.future()
  self.connections:connect(self.node)
  update_state(self)
  local ok = self.started:wait(timeout)
  self.started = nil
  if ok or self:is_connected() then return true end
  return nil, "the server could not be reached: " .. self.connections:reasons()
end

-- A server that has a partition map of several nodes is one of a cluster. What the map says
-- of owners is not followed: everything goes to this server.
local function note_map(self)
  self.cluster_size = #self.core:partition_map().nodes
  self.core:set_routes(self.node.index) -- the number of partitions may be another one
  self.events:emit "map_seen"
end

function methods:handle(event, connection_id, a, b, flag, text)
  if self.listeners:handle(event, connection_id, a, b, flag, text) then return true end
  if self.connections:handle(event, connection_id, a, b, flag, text) then return true end
  if event == "map" and flag then note_map(self) end
  return event == "map" or event == "map_error"
end

function methods:offer(connection_id, message) return self.requests:offer(connection_id, message) end

--- Sends operations (a wingman.client.operations: what is pending leaves as one OP_BATCH)
--- or a message. True, or nil, err.
---@param data wingman.operations|table
function methods:send(data)
  if data.is_operations then
    self.core:flush()
    return true
  end
  local bytes, err = core_module.encode(data)
  if not bytes then return nil, err end
  return self.core:send(self.node.connection_ids[1], bytes)
end

--- The node of a connection, whichever kind it is.
function methods:node_at(connection_id)
  return self.connections.by_index[self.core:node_of(connection_id)]
end
function methods:node_of() return self:any_node() end
--- What the server's partition map says of owners is not followed.
function methods:owner_of() return self:any_node() end
function methods:any_node() return self:is_connected() and self.node or nil end
function methods:connected_nodes() return self:is_connected() and { self.node.id or self.node.url } or {} end
function methods:nodes() return { self:any_node() } end
function methods:is_connected() return self.state.current == "CONNECTED" end
--- There is nothing to route.
function methods:is_routing_active() return false end
function methods:on(event, fn) self.events:on(event, fn) end
function methods:off(event, fn) self.events:off(event, fn) end
function methods:set_token(token) self.connections:set_token(token) end

function methods:close()
  if self.closed then return end
  self.closed = true
  self.connections:close()
  self.listeners:close()
  self.requests:close()
  if self.started then self.started:resolve(false) end
  self.state:set("DISCONNECTED", "closed")
end

---@param core userdata  wingman.core.client
---@param options table  checked options
---@param policies { reconnect: function }
---@param state wingman.connection_state
---@param map_names fun(): string[]  maps that the client uses
---@return wingman.single_server_provider|nil, string|nil
function M.new(core, options, policies, state, map_names)
  local self = setmetatable({
    core = core, state = state, events = emitter.new(), requests = requests_module.new(core),
  }, methods)
  self.failovers = failover.new {
    core = core,
    completed = function(record) self.events:emit("failover", record) end,
  }
  self.connections = connections_module.new(core, options, policies.reconnect, {
    ready = function(connection)
      self.node.usable = true
      self.node.dialect = core:connection_info(connection.id).dialect
      core:use_connection(connection.id)
      core:send(connection.id, MAP_REQUEST)
      self.failovers:routes_changed { [self.node.index] = true }
      self.listeners:node_connected(self.node)
      self.events:emit("node_connected", { url = self.node.url, dialect = self.node.dialect })
    end,
    lost = function(connection, reason, code, detail, was_ready)
      self.requests:connection_lost(connection.id)
      if self.connections:count_states().ready == nil then
        self.node.usable = false
        self.listeners:node_lost(self.node)
        self.failovers:lost(self.node, reason, detail)
        self.failovers:routes_changed {}
      end
      if was_ready then
        self.events:emit("node_lost", { url = self.node.url, reason = reason, code = code, detail = detail })
      end
    end,
    changed = function() update_state(self) end,
    auth_failed = function(connection, message) self.events:emit("auth_failed", connection.node, message) end,
    log = function(...) options.log_to(...) end,
  })
  local function root_map(connection_id)
    return merkle_walk.askable_map(core, connection_id, map_names(), options.probe_map)
  end
  self.listeners = listeners_module.new(core, options, policies.reconnect, self.requests, {
    beside = self.connections,
    nodes = function() return self:nodes() end,
    id_of = function(given)
      for _, id in ipairs(given.connection_ids) do
        if self.connections.by_id[id].state == "ready" then return (merkle_walk.node_id(self.requests, id, root_map(id))) end
      end
    end,
    root_map = root_map,
    auth_failed = function(...) self.events:emit("auth_failed", ...) end,
  })
  local node, err = self.connections:add(options.server, true)
  if not node then return nil, err end
  self.node = node
  core:set_routes(node.index)
  return self
end

return M
