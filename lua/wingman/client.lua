--- A client of one cluster or one server.
local cjson = require "cjson"
local circuit_policies = require "wingman.policy.circuit"
local connection_state = require "wingman.connection_state"
local core = require "wingman.core"
local embedded_cluster = require "wingman.embedded_cluster"
local emitter = require "wingman.emitter"
local endpoint_policies = require "wingman.policy.endpoint"
local errors = require "wingman.error"
local log_throttle = require "wingman.log_throttle"
local loop = require "wingman.loop"
local map_module = require "wingman.map"
local merkle_walk = require "wingman.merkle_walk"
local options_module = require "wingman.options"
local reconnect_policies = require "wingman.policy.reconnect"
local repair = require "wingman.repair"
local routing_policies = require "wingman.policy.routing"
local server_error = require "wingman.server_error"
local server_events = require "wingman.server_events"
local sync_engine = require "wingman.sync_engine"
local uuid = require "wingman.uuid"

local M = {}

---@class wingman.client
---@field state wingman.connection_state
---@field provider table
---@field closed boolean
local methods = {}
methods.__index = methods

--- Seconds to wait for the answer to a query.
local QUERY_TIMEOUT = 10
--- Server 2.2.0 leaves out what goes beyond so many results, without a word.
local QUERY_CLAMP = 10000

local function default_log(level, event, fields)
  if level ~= "warn" and level ~= "error" then return end
  local parts = {}
  for name, value in pairs(fields) do
    if type(value) == "table" then value = table.concat(value, ",") end
    parts[#parts + 1] = name .. "=" .. tostring(value)
  end
  table.sort(parts)
  io.stderr:write("wingman: ", level, " ", event, " ", table.concat(parts, " "), "\n")
end

-- Policies ----------------------------------------------------------------------

local function named(policies, name, what)
  local policy = policies[name]
  if not policy then error(("wingman.client: option %s: there is no policy '%s'"):format(what, name), 4) end
  return policy
end

local function make_policies(options)
  local routing = options.routing
  if routing == "direct" and options.fallback then routing = routing_policies.direct_or_any
  elseif type(routing) == "string" then routing = named(routing_policies, routing, "routing") end
  local reconnect = options.reconnect
  if type(reconnect) == "table" then reconnect = reconnect_policies.exponential(reconnect)
  elseif reconnect == "exponential" then reconnect = reconnect_policies.exponential()
  elseif type(reconnect) == "string" then reconnect = named(reconnect_policies, reconnect, "reconnect") end
  local endpoint = options.endpoint
  if type(endpoint) == "table" then endpoint = endpoint_policies.map(endpoint)
  elseif type(endpoint) == "string" then
    if endpoint == "map" then error("wingman.client: option endpoint: give the table { node_id = url } itself", 3) end
    endpoint = named(endpoint_policies, endpoint, "endpoint")
  end
  local nodes = type(options.cluster) == "table" and options.cluster.nodes
  if nodes then
    local resolve = endpoint
    endpoint = function(id, advertised, seeds) return nodes[id] or resolve(id, advertised, seeds) end
  end
  local circuit = options.circuit
  if type(circuit) == "table" then circuit = circuit_policies.consecutive(circuit)
  elseif type(circuit) == "string" then circuit = named(circuit_policies, circuit, "circuit") end
  return { routing = routing, reconnect = reconnect, endpoint = endpoint, circuit = circuit }
end

local function core_options(options)
  local batch, log = options.batch, options.oplog
  return {
    node_id = options.node_id or uuid.v4(),
    node_id_is_default = options.node_id == nil,
    op_prefix = uuid.letters(8),
    ca_file = options.tls.ca_file,
    tls_verify = not options.tls.insecure_skip_verify,
    max_message_bytes = options.max_message_bytes,
    max_queued_bytes = options.max_queued_bytes,
    connect_timeout = options.connect_timeout,
    auth_timeout = options.auth_timeout,
    connections_per_node = options.connections_per_node,
    heartbeat_interval = options.heartbeat.interval,
    heartbeat_timeout = options.heartbeat.timeout,
    batch_ops = batch.ops or (options.server and 65535 or 1000),
    batch_bytes = batch.bytes,
    max_in_flight = batch.in_flight,
    linger = batch.linger,
    ack_timeout = batch.ack_timeout,
    max_tries = batch.tries,
    log_ops = log.max_ops,
    log_bytes = log.max_bytes,
    oplog_path = log.path,
    oplog_sync = log.sync,
    drop_oldest = log.when_full == "drop_oldest",
    high_water = log.high_water,
    low_water = log.low_water,
  }
end

-- Life ------------------------------------------------------------------------------

--- Makes a client; nothing is connected before `start`. Raises for a wrong option;
--- nil, err when the op log's file cannot be used. What the file holds is pending
--- again and in the local copies.
---@param given table  see wingman.options
---@return wingman.client|nil, wingman.error|nil
function M.new(given)
  local options = options_module.check(given, 2)
  options.log_to = options.log_to or default_log
  local self = setmetatable({
    options = options,
    policies = make_policies(options),
    events = emitter.new(),
    log_seldom = log_throttle.new(options.log_to),
    maps = {},
    map_order = {},
    subscriptions = {},
    waiting_ops = {},
    failures = {},
    failure_order = { last = 0 },
    closed = false,
  }, methods)
  self.state = connection_state.new(function(to, from, reason) self.events:emit("state", to, from, reason) end)
  local handle, err = core.client(loop.handle(), core_options(options))
  if not handle then
    if not err:find("oplog.path", 1, true) then error("wingman.client: " .. err, 2) end
    return nil, errors.new("OPLOG", err)
  end
  self.core = handle
  options.node_id = handle:node_id()
  loop.add_source(self)
  return self
end

local function make_provider(self)
  local options = self.options
  if options.server then
    local single_server = require "wingman.provider.single_server"
    return single_server.new(self.core, options, self.policies, self.state)
  end
  local cluster = require "wingman.provider.cluster"
  return cluster.new(self.core, options, self.policies, self.state, function() return self.map_order end)
end

local function start_embedded(self)
  local url = self.options.cluster
  if type(url) ~= "string" then return true end
  local cluster, err = embedded_cluster.start(url)
  if not cluster then return nil, err end
  self.embedded = cluster
  self.options.cluster = { seeds = cluster.urls }
  self.options.auth = self.options.auth or { token = cluster.token }
  return true
end

--- Connects: authenticated, map and hash known, routes computed. Waits, at most
--- for the option start_timeout. May be called once.
---@return boolean|nil ok, wingman.error|nil
function methods:start()
  if self.closed then return nil, errors.new("CLOSED", "the client is closed") end
  if self.provider then error("client:start: the client was started before", 2) end
  local ok, err = start_embedded(self)
  if not ok then return nil, err end
  local provider, provider_err = make_provider(self)
  if not provider then return nil, errors.new("NOT_CONNECTED", provider_err) end
  self.provider = provider
  self.engine = sync_engine.new(self.core, provider, self.options.log_to)
  provider:on("node_connected", function(node)
    self:resubscribe()
    self.events:emit("node_connected", node)
  end)
  for _, name in ipairs { "node_lost", "map_changed", "circuit" } do
    provider:on(name, function(...) self.events:emit(name, ...) end)
  end
  local connected, reason = provider:connect(self.options.start_timeout)
  if connected then return true end
  local refused = provider.links:count_states().refused
  return nil, errors.new(refused and "AUTH_FAILED" or "NOT_CONNECTED", reason)
end

--- Ends everything at once: sockets, timers, waits (which get an error), the
--- embedded cluster. What is still in the op log is gone, unless it has a file: call
--- `drain` before.
--- Safe twice.
function methods:close()
  if self.closed then return end
  self.closed = true
  loop.remove_source(self)
  if self.engine then self.engine:close() end
  if self.provider then self.provider:close() end
  local closed = errors.new("CLOSED", "the client was closed")
  for _, future in pairs(self.waiting_ops) do future:reject(closed) end
  if self.progress then self.progress:reject(closed) end
  self.state:set("DISCONNECTED", "closed")
  self.core:close()
  if self.embedded then self.embedded:stop() end
  self.embedded = nil
end

-- Events of the core ---------------------------------------------------------------------

-- A server's error on a lane; `had_batches`: one of them may be what it is about.
local function on_server_error(self, lane, err, had_batches)
  local node = self.provider.links.lanes[lane].node
  err.node, err.url = node.id, node.url
  self.log_seldom(err.code == "OVERLOADED" and err.status == 429 and "info" or "warn", "server_error",
    { code = err.code, status = err.status, message = err.message, url = node.url }, node.url .. err.code .. err.message)
  if err.code == "NOT_OWNER" or err.code == "STALE_MAP" then
    if self.provider.map_is_old then self.provider:map_is_old() end
  elseif had_batches and err.status ~= 429 and self.provider.refused then -- 429 speaks of our rate, not of the node
    self.provider:refused(node, ("error %s: %s"):format(err.status or err.code, err.message))
  end
  self.events:emit("server_error", err)
end

-- What a server said was nonsense; its connection stays.
local function refuse(self, lane, event, kind, reason)
  local url = self.provider.links.lanes[lane].node.url
  self.log_seldom("warn", event, { type = kind, reason = reason, url = url }, url .. event .. reason)
end

--- Messages that are read here and mean nothing without a payload that is a map.
local needs_payload = {
  SERVER_EVENT = true, SERVER_BATCH_EVENT = true, SYNC_RESP_ROOT = true, SYNC_RESP_BUCKETS = true,
  SYNC_RESP_LEAF = true, SYNC_RESET_REQUIRED = true, QUERY_RESP = true, QUERY_UPDATE = true,
}

local function on_message(self, lane, message)
  if type(message) ~= "table" or type(message.type) ~= "string" then
    return refuse(self, lane, "message_not_read", nil, "the message is not a map with a string `type`")
  end
  if needs_payload[message.type] and type(message.payload) ~= "table" then
    return refuse(self, lane, "message_refused", message.type, "the payload is no map")
  end
  local err = server_error.of(message)
  if err then
    local about_batches = err.code == "NOT_OWNER" or err.code == "STALE_MAP"
    return on_server_error(self, lane, err, about_batches and self.core:refuse_batches(lane))
  end
  if self.provider:offer(lane, message) then return end
  local is_announcement, refused = server_events.handle(self, message)
  if refused then refuse(self, lane, "message_refused", message.type, refused) end
  if is_announcement then return end
  if message.type == "GC_PRUNE" or message.type == "QUERY_UPDATE" or message.type == "QUERY_RESP" then return end
  if self.events:has("message") then self.events:emit("message", message, lane) end
end

--- Rejected and dropped operations that are remembered for who waits for them later.
local REMEMBERED = 1000

local function remember_failure(self, seq, err)
  local order = self.failure_order
  order.last = order.last + 1
  order[order.last], self.failures[seq] = seq, err
  local oldest = order.last - REMEMBERED
  if order[oldest] then self.failures[order[oldest]], order[oldest] = nil, nil end
end

local function settle(self, seq, ok, err)
  local future = self.waiting_ops[seq]
  if not ok then remember_failure(self, seq, err) end
  if not future then return end
  self.waiting_ops[seq] = nil
  if ok then future:resolve(true) else future:reject(err) end
end

local handlers = {}

function handlers.message(self, lane, _, _, _, text)
  local message, err = core.decode(text)
  if message == nil then return refuse(self, lane, "message_not_read", nil, err) end
  on_message(self, lane, message)
end

function handlers.text(self, lane, _, _, _, text)
  local ok, message = pcall(cjson.decode, text)
  -- The parser's own words hold places and pieces of the text, no two alike.
  if not ok then return refuse(self, lane, "message_not_read", nil, "the text is no JSON") end
  on_message(self, lane, message)
end

function handlers.op_done(self, _, seq) settle(self, seq, true) end

function handlers.op_rejected(self, _, seq, key_len, _, text)
  local key, reason = text:sub(1, key_len), text:sub(key_len + 1)
  local err = errors.new("REJECTED", ("the server rejected the write of key '%s': %s"):format(key, reason),
    { key = key, reason = reason, seq = seq, retriable = false })
  self.options.log_to("warn", "op_rejected", { key = key, reason = reason })
  settle(self, seq, false, err)
  self.events:emit("op_rejected", err)
end

function handlers.op_dropped(self, _, seq, _, _, key)
  local err = errors.new("LOG_FULL", ("the op log was full: the oldest write, of key '%s', was dropped"):format(key),
    { key = key })
  settle(self, seq, false, err)
  self.events:emit("op_dropped", err)
end

function handlers.op_tries(self, lane, seq, tries, _, key)
  local node = self.provider.links.lanes[lane].node
  local err = errors.new("NOT_ACKNOWLEDGED", ("the write of key '%s' was sent %d times without an acknowledgement; it stays in the op log")
    :format(key, tries), { key = key, seq = seq, tries = tries, node = node.id, url = node.url })
  self.log_seldom("warn", "op_tries", { key = key, tries = tries, url = node.url }, "op_tries " .. node.url)
  self.events:emit("op_tries", err)
end

function handlers.server_error(self, lane, _, _, had_batches, text)
  local message = core.decode(text)
  self.provider:offer(lane, message)
  on_server_error(self, lane, server_error.of(message) or errors.new("SERVER_ERROR", "an error that cannot be read"), had_batches)
end

function handlers.ack_timeout(self, lane, ops)
  local node = self.provider.links.lanes[lane].node
  self.log_seldom("warn", "ack_timeout", { url = node.url, ops = ops }, "ack_timeout " .. node.url)
  -- A v2 connection is given up then, which is told as a loss.
  if self.provider.refused and node.dialect ~= "v2" then
    self.provider:refused(node, "a batch was not acknowledged in time")
  end
  self.events:emit("ack_timeout", { url = node.url, node = node.id, ops = ops })
end

function handlers.resumed(self, lane, partition, us)
  local node = self.provider.links.lanes[lane].node
  self.events:emit("resumed", { partition = partition, node = node.id, seconds = us / 1e6 })
end

function handlers.log_file(self, _, _, _, writable, reason)
  if writable then
    self.options.log_to("info", "oplog_written_again", { path = self.options.oplog.path })
    self.events:emit("oplog_recovered")
    if self.progress then self.progress:resolve() end
    return
  end
  local err = errors.new("OPLOG", ("the op log's file '%s' cannot be written: %s; nothing is lost, and no write is taken until it can")
    :format(self.options.oplog.path, reason), { path = self.options.oplog.path, reason = reason })
  self.options.log_to("error", "oplog_not_written", { path = err.path, reason = reason })
  self.events:emit("oplog_error", err)
end

function handlers.high_water(self, _, ops) self.events:emit("high_water", ops) end

function handlers.low_water(self, _, ops)
  self.events:emit("low_water", ops)
  if self.progress then self.progress:resolve() end
end

--- Part of the loop: what was recorded leaves at the end of the tick.
function methods:flush()
  if self.engine then self.engine:flush() end
  if self.options.oplog.path then self.core:sync_log() end
end

--- Writes the op log to its file now, instead of at the end of the tick: what was
--- recorded before is then kept there. True without a file, too.
---@return boolean|nil, wingman.error|nil
function methods:sync()
  if self.closed then return nil, errors.new("CLOSED", "the client is closed") end
  local ok, reason = self.core:sync_log()
  if ok then return true end
  return nil, errors.new("OPLOG", ("the op log's file '%s' cannot be written: %s"):format(self.options.oplog.path, reason))
end

--- Part of the loop: hands out what the network brought.
function methods:drain_events()
  while not self.closed do
    local event, lane, a, b, flag, text = self.core:next_event()
    if not event then return end
    local handler = handlers[event]
    if handler then handler(self, lane, a, b, flag, text)
    elseif self.provider then self.provider:handle(event, lane, a, b, flag, text) end
  end
end

-- Waiting ------------------------------------------------------------------------------------

--- Waits until the op log has room again (below its low-water mark).
---@return boolean|nil, wingman.error|nil
function methods:wait_for_room()
  self:flush()
  self.core:flush()
  self.progress = self.progress or loop.future()
  -- A log whose limits are tiny may never cross its marks; look now and then.
  local _, err = self.progress:wait(0.05)
  if self.progress and self.progress.done then self.progress = nil end
  if self.closed then return nil, err or errors.new("CLOSED", "the client was closed") end
  return true
end

--- Waits until everything recorded so far is acknowledged.
---@param timeout number|nil  seconds; default: for ever
---@return boolean|nil ok, wingman.error|nil
function methods:drain(timeout)
  if self.closed then return nil, errors.new("CLOSED", "the client is closed") end
  local done = loop.wait_until(function() return self.closed or self:pending_ops() == 0 end, timeout)
  if self.closed then return nil, errors.new("CLOSED", "the client was closed") end
  if done then return true end
  local _, _, held = self.core:pending()
  return nil, errors.new("TIMEOUT", ("%d operations are not acknowledged after %g s (%d of them have no route); they stay in the op log")
    :format(self:pending_ops(), timeout, held), { pending = self:pending_ops(), held = held })
end

--- Waits until one operation is settled: true when it was acknowledged, nil, err
--- when it was rejected or dropped, or after `timeout` seconds. The last 1,000 that
--- were rejected or dropped are remembered.
---@param seq number  what set or remove returned
---@param timeout number|nil
function methods:wait(seq, timeout)
  local future = self.waiting_ops[seq]
  if not future then
    if self.failures[seq] then return nil, self.failures[seq] end
    if not self.core:notify(seq) then return true end
    future = loop.future()
    self.waiting_ops[seq] = future
  end
  local ok, err = future:wait(timeout)
  if ok then return true end
  if err == "timeout" then err = errors.new("TIMEOUT", "the operation is not acknowledged yet; it stays in the op log") end
  return nil, err
end

-- Maps and queries ------------------------------------------------------------------------------

--- The map of this name; the same object each time.
---@param name string
---@return wingman.map
function methods:map(name)
  if type(name) ~= "string" or name == "" or #name > 256 then
    error("client:map: a name of 1 to 256 bytes is expected", 2)
  end
  if self.closed then error("client:map: the client is closed", 2) end
  local map = self.maps[name]
  if not map then
    map = map_module.new(self, name)
    self.maps[name] = map
    self.map_order[#self.map_order + 1] = name
  end
  return map
end

--- The map, if the script uses it.
function methods:known_map(name) return self.maps[name] end

local function send_subscription(self, name, node)
  local id = self.subscriptions[name]
  local message = { type = "QUERY_SUB", payload = { queryId = id, mapName = name, query = {} } }
  self.core:send(node.lanes[1], core.encode(message))
end

--- Asks every node to announce changes of a map; again after each reconnection.
---@param name string
function methods:subscribe(name)
  if self.subscriptions[name] then return end
  self.subscriptions[name] = uuid.v4()
  if not self.provider then return end
  for _, node in ipairs(self.provider:nodes()) do send_subscription(self, name, node) end
end

--- Part of the provider's business: subscriptions die with their connection.
function methods:resubscribe()
  for name in pairs(self.subscriptions) do
    for _, node in ipairs(self.provider:nodes()) do send_subscription(self, name, node) end
  end
end

-- Whether these are results of a query: { key, value } each.
local function are_results(results)
  if type(results) ~= "table" then return false end
  for _, entry in ipairs(results) do
    if type(entry) ~= "table" or type(entry.key) ~= "string" then return false end
  end
  return true
end

local function query_node(self, node, name, query)
  local id = uuid.v4()
  local answer, err = self.provider.replies:request(node.lanes[1],
    { type = "QUERY_SUB", payload = { queryId = id, mapName = name, query = query } },
    function(message) return message.type == "QUERY_RESP" and message.payload.queryId == id end, QUERY_TIMEOUT)
  self.core:send(node.lanes[1], core.encode { type = "QUERY_UNSUB", payload = { queryId = id } })
  if not answer then
    return nil, errors.new("TIMEOUT", ("%s: the query of map '%s' was not answered: %s"):format(node.url, name, err))
  end
  if answer.payload.error and answer.payload.error ~= core.null then
    return nil, errors.new("REFUSED", ("%s: %s"):format(node.url, tostring(answer.payload.error)))
  end
  if not are_results(answer.payload.results) then
    return nil, errors.new("REFUSED", ("%s: the results of the query of map '%s' cannot be read"):format(node.url, name))
  end
  return answer.payload.results
end

-- The results of one node, all of them: where the server may have cut the list,
-- the node is read by its Merkle tree.
local function query_all(self, node, name, query)
  local results, err = query_node(self, node, name, query)
  if not results or #results < QUERY_CLAMP or query.limit then return results, err end
  if query.where or query.sort then
    return nil, errors.new("TOO_MANY", ("%s: the query of map '%s' has %d or more results, and servers answer with no more: set a limit")
      :format(node.url, name, QUERY_CLAMP))
  end
  local records
  records, err = self:holdings(node.id or node.url, name)
  if not records then return nil, err end
  results = {}
  for key, record in pairs(records) do
    if record.value ~= core.null then results[#results + 1] = { key = key, value = record.value } end
  end
  return results
end

--- Asks the cluster: every connected node, one after the other, joined by key;
--- where two nodes have a key, the answer of its owner counts. A v2 node answers
--- with what it holds itself, records included that it no longer owns and the owner
--- does not have (or has removed); a 0.11 node answers for the whole cluster.
---@param name string
---@param query table|nil  { where = ..., sort = ..., limit = ... }; default: everything
---@return table<string, any>|nil values_by_key, wingman.error|nil
function methods:query(name, query)
  local values = {}
  local nodes = self.provider and self.provider:nodes() or {}
  if #nodes == 0 then return nil, errors.new("NOT_CONNECTED", "no node is connected") end
  for _, node in ipairs(nodes) do
    local results, err = query_all(self, node, name, query or {})
    if not results then return nil, err end
    local map = self:partition_map()
    for _, entry in ipairs(results) do
      local owner = map and map.owners[self:partition_of(entry.key) + 1]
      if values[entry.key] == nil or owner == node.id then values[entry.key] = entry.value end
    end
  end
  return values
end

--- What one node itself holds of a map, read by its Merkle tree: key -> record
--- ({ value, timestamp }, tombstones with value null).
---@param node_id string
---@param name string
---@return table<string, table>|nil, wingman.error|nil
function methods:holdings(node_id, name)
  for _, node in ipairs(self.provider:nodes()) do
    if node.id == node_id or node.url == node_id then
      local records, err = merkle_walk.records(self.provider.replies, node.lanes[1], name)
      if not records then return nil, errors.new("TIMEOUT", ("%s: map '%s': %s"):format(node.url, name, err)) end
      return records
    end
  end
  return nil, errors.new("NOT_CONNECTED", ("no connected node is '%s'"):format(node_id))
end

--- Sends again what this client wrote and its owner does not have: after a node
--- has died or come back, since servers keep nothing through that (see
--- wingman.repair for what is compared, and the cost). Waits for the comparison, not
--- for the acknowledgements.
---@param name string|nil  one map; nil: every map of this client
---@return integer|nil count  of writes recorded again
---@return wingman.error|nil
function methods:repair(name)
  if self.closed then return nil, errors.new("CLOSED", "the client is closed") end
  local count = 0
  for _, map_name in ipairs(name and { name } or self.map_order) do
    local repaired, err = repair.map(self, self:map(map_name))
    if not repaired then return nil, err end
    count = count + repaired
  end
  return count
end

-- Figures ------------------------------------------------------------------------------------------

--- How operations were routed: direct_routes, fallback_routes, partition_misses,
--- total_routes.
function methods:routing_metrics() return self.core:routing_metrics() end
function methods:reset_routing_metrics() self.core:reset_routing_metrics() end

--- Whether operations are routed by partition.
---@return boolean
function methods:is_routing_active()
  return self.provider ~= nil and self.provider:is_routing_active()
end

--- Node ids (a single server's URL while its id is not known).
---@return string[]
function methods:connected_nodes() return self.provider and self.provider:connected_nodes() or {} end

--- Operations that are recorded and not acknowledged.
---@return integer
function methods:pending_ops() return (self.core:pending()) end

--- What is known for routing: map version, partitions, nodes, hash, held operations.
function methods:router_stats()
  local version, generation = self.core:map_version()
  local _, _, held = self.core:pending()
  local provider = self.provider or {}
  local map = provider.map
  return {
    map_version = version, maps_seen = generation, partition_count = self.core:partition_count(),
    node_count = map and #map.nodes or 0, routed_partitions = provider.routed or 0, held_ops = held,
    hash = provider.hash_kind or "unknown", hash_found = provider.hash_how,
    map_requests = provider.requests and provider.requests.sent or 0,
  }
end

--- The state of everything at one look.
function methods:health()
  local nodes = {}
  for _, node in ipairs(self.provider and self.provider.links.nodes or {}) do
    local info = self.core:lane_info(node.lanes[1])
    nodes[#nodes + 1] = {
      id = node.id, url = node.url, state = info.state, dialect = info.dialect, rtt = info.rtt,
      usable = node.usable or info.state == "ready",
      circuit = self.provider.circuits and self.provider.circuits:state_of(node) or "closed", last_reason = node.last_reason,
      pending_ops = info.pending_ops, in_flight_ops = info.in_flight_ops,
      stats = self.core:node_stats(node.slot),
    }
  end
  return {
    state = self.state.current, connected = #self:connected_nodes(), routing_active = self:is_routing_active(),
    pending_ops = self:pending_ops(), nodes = nodes,
  }
end

--- Counters since the client was made, and the distributions of ack latency
--- (seconds) and batch sizes (operations).
function methods:stats()
  local stats = self.core:stats()
  stats.ack_latency, stats.batch_sizes = self.core:distributions()
  return stats
end

--- The server family: "0.11", "v2", or "unknown" before the first connection;
--- "mixed" when nodes differ.
---@return string
function methods:dialect()
  local found
  for _, node in ipairs(self.provider and self.provider.links.nodes or {}) do
    if node.dialect then found = (found == nil or found == node.dialect) and node.dialect or "mixed" end
  end
  return found or "unknown"
end

--- The held partition map: version, nodes, owners[partition + 1]; nil without one.
function methods:partition_map() return self.provider and self.provider.map end
--- The partition of a key.
---@return integer
function methods:partition_of(key) return self.core:partition_of(key) end
--- The embedded cluster of sim://N or topgun://N, to kill and restart nodes; nil
--- for other clusters.
function methods:cluster() return self.embedded end

--- A new token (or token function): connections that were refused try again at once,
--- the others use it when they connect next.
---@param token string|fun(): string
function methods:set_auth_token(token)
  if type(token) ~= "string" and type(token) ~= "function" then
    error("set_auth_token: a string or a function is expected, got " .. type(token), 2)
  end
  self.options.auth = { token = token }
  if self.provider then self.provider:set_token(token) end
end

--- Listens to the client: "state", "node_connected", "node_lost", "map_changed", "circuit",
--- "resumed", "high_water", "low_water", "op_dropped", "op_rejected", "op_tries", "ack_timeout",
--- "oplog_error", "oplog_recovered", "server_error", "message".
function methods:on(event, fn) self.events:on(event, fn) end
function methods:off(event, fn) self.events:off(event, fn) end

return M
