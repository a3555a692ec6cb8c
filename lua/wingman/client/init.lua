--- A client of one cluster or one server.
local connection_options = require "wingman.client.options.connection"
local connection_state = require "wingman.cluster.connection_state"
local core = require "wingman.core"
local core_events = require "wingman.client.incoming.core_events"
local core_options = require "wingman.client.options.core"
local duration = require "wingman.base.duration"
local embedded_cluster = require "wingman.testbed"
local emitter = require "wingman.base.emitter"
local errors = require "wingman.base.error"
local events = require "wingman.client.events"
local log_fields = require "wingman.text.log_fields"
local log_throttle = require "wingman.loop.log_throttle"
local loop = require "wingman.loop"
local map_module = require "wingman.client.map"
local open_clients = require "wingman.client.open_clients"
local options_module = require "wingman.client.options.rules"
local policies = require "wingman.client.options.policies"
local protected = require "wingman.base.protected"
local sync_engine = require "wingman.client.sync_engine"
local warnings = require "wingman.client.health.warnings"
local wire_name = require "wingman.base.wire_name"

require "wingman.client.interrupt" -- at a signal open clients drain

local now = loop.now

local M = {}

--- Keys and values of a message that are decoded before the deadline is looked at: some 50 us.
local DECODED_AT_ONCE = 500

---@class wingman.client
---@field state wingman.connection_state
---@field provider table
---@field listeners wingman.listeners|nil  once it is started
---@field closed boolean
---@field write_error wingman.error|false  why no write is taken
---@field options wingman.client_options  checked, with their defaults
local methods = {}
methods.__index = methods

for _, part in ipairs {
  require "wingman.client.methods.callbacks", require "wingman.client.methods.figures",
  require "wingman.client.methods.queries", require "wingman.client.methods.copies", require "wingman.client.methods.rejected",
  require "wingman.client.methods.send", require "wingman.client.methods.ticks", require "wingman.client.methods.waits",
} do
  for name, method in pairs(part) do methods[name] = method end
end

local function default_log(level, event, fields)
  if level ~= "warn" and level ~= "error" then return end
  io.stderr:write("wingman: ", level, " ", event, " ", log_fields.format(log_fields.plain(fields)), "\n")
end

-- The script's log_to, which may itself raise: the line is written to standard error then,
-- the first time with the error in front of it.
local function safe_log(log_to)
  local is_told = false
  return function(level, event, fields)
    fields = log_fields.plain(fields)
    local ok, err = protected.call(log_to, level, event, fields)
    if ok then return end
    if not is_told then default_log("error", "log_to_failed", { error = err }) end
    is_told = true
    default_log(level, event, fields)
  end
end

-- Life ------------------------------------------------------------------------------

--- Makes a client, which connects in `start`. Raises for a wrong option. Returns nil, err when the op
--- log's file cannot be used. The operations in the file are pending again, and in the local copy.
---@param given wingman.client_options  see wingman.client.options.rules
---@return wingman.client|nil, wingman.error|nil
function M.new(given)
  local options = options_module.check(connection_options.complete(given), 2)
  options.log_to = options.log_to and safe_log(options.log_to) or default_log
  local self = setmetatable({
    options = options,
    policies = policies.make(options),
    log_seldom = log_throttle.new(function(...) options.log_to(...) end),
    maps = {},
    map_order = {},
    subscriptions = {},
    query_readings = {},
    copies = {},
    ending = loop.future(),
    waiting_ops = {},
    ack_callbacks = {},
    failures = {},
    failure_order = { last = 0 },
    warned = {},
    write_error = false, -- a field of its own, as each write looks at it
    closed = false,
  }, methods)
  options.log_to = self:counting_log(options.log_to)
  self.events = emitter.new { names = events, failed = function(...) self:callback_failed(...) end }
  self.state = connection_state.new(function(to, from, reason)
    self:note_nodes()
    self.events:emit("state", to, from, reason)
  end)
  local handle, err, log_problem = core.client(loop.handle(), core_options.of(options))
  if not handle then
    if not log_problem then error("wingman.client: " .. err, 2) end
    return nil, errors.new("OPLOG", err, { problem = log_problem, path = options.oplog.path })
  end
  self.core = handle
  open_clients.add(self)
  options.client_id = handle:client_id()
  loop.add_source(self)
  return self
end

local function make_provider(self)
  local options = self.options
  if options.server then
    local single_server = require "wingman.cluster.provider.single_server"
    return single_server.new(self.core, options, self.policies, self.state, function() return self.map_order end)
  end
  local cluster = require "wingman.cluster.provider.cluster"
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

--- Connects. When it returns true, at least one node has authenticated this client, the partition map
--- and the hash are known, and routes are computed. Other nodes may follow: writes to them wait, and a
--- query of a v2 cluster returns nil, NOT_CONNECTED until they are connected (see connected_nodes).
--- Waits for start_timeout at most. May be called once.
---@return boolean|nil ok, wingman.error|nil
function methods:start()
  if self.closed then return nil, errors.new("CLOSED", "the client is closed") end
  if self.provider then error("client:start: the client was started before", 2) end
  local ok, err = start_embedded(self)
  if self.closed then
    if self.embedded then self.embedded:stop() end -- it was started after the client was closed
    self.embedded = nil
    return nil, errors.new("CLOSED", "the client was closed")
  end
  if not ok then return nil, err end
  local provider, provider_err = make_provider(self)
  if not provider then return nil, errors.new("NOT_CONNECTED", provider_err) end
  self.provider, self.listeners = provider, provider.listeners
  local has_started = false
  self.engine = sync_engine.new(self.core, provider, function(...) self.options.log_to(...) end)
  self.listeners:on("ready", function(_, connection_id) self:resubscribe(connection_id) end)
  if next(self.subscriptions) then self.listeners:open() end
  for _, name in ipairs { "node_connected", "node_lost", "map_changed", "discovered" } do
    provider:on(name, function() self:note_nodes() end)
  end
  for _, name in ipairs { "ready", "lost" } do
    self.listeners:on(name, function() self:note_nodes() end)
  end
  provider:on("node_connected", function(node)
    warnings.say(self)
    self.events:emit("node_connected", node)
  end)
  provider:on("hash_conflict", function(err)
    self.write_error = err or false
    warnings.say(self)
  end)
  for _, name in ipairs { "map_changed", "map_seen" } do
    provider:on(name, function() warnings.say(self) end)
  end
  provider:on("discovered", function()
    warnings.say(self)
    if has_started and not self.closed then self.engine:start_is_over() end
  end)
  for _, name in ipairs { "node_lost", "map_changed", "circuit", "failover" } do
    provider:on(name, function(...) self.events:emit(name, ...) end)
  end
  provider:on("auth_failed", function(node, message)
    local err = errors.new("AUTH_FAILED", ("%s: %s; client:set_auth_token goes on at once"):format(node.url, message),
      { node = node.id, url = node.url })
    self.options.log_to("warn", "auth_failed", { url = node.url, reason = message })
    self.events:emit("auth_failed", err)
  end)
  self.engine:start_begins()
  local connected, reason = provider:connect(self.options.start_timeout)
  if self.closed then return nil, errors.new("CLOSED", "the client was closed") end
  has_started = true
  -- Nodes that the map names may still be being connected to: `discovered` follows then.
  local is_discovering = provider.discovery_is_over == false -- nil: a single server discovers nothing
  if not (connected and is_discovering) then self.engine:start_is_over() end
  if connected then return true end
  if provider.hash_conflict then return nil, provider.hash_conflict end
  local refused = provider.connections:count_states().refused
  return nil, errors.new(refused and "AUTH_FAILED" or "NOT_CONNECTED", reason)
end

local function end_waits(self)
  for _, copy in pairs(self.copies) do copy:close() end
  if self.engine then self.engine:close() end
  if self.provider then self.provider:close() end
  self:end_waits(errors.new("CLOSED", "the client was closed"))
  self.state:set("DISCONNECTED", "closed")
end

-- The last chance of what is not in the file; a client that ends with it is to be heard of.
local function write_log_out(self)
  local path = self.options.oplog.path
  if not path then return end
  local pending = self.core:pending()
  local ok, reason, problem = self.core:finish_log()
  if ok then return end
  self.options.log_to("error", "oplog_not_written_at_close", { path = path, problem = problem, reason = reason, pending = pending })
end

--- Ends everything at once: sockets, timers and the embedded cluster. Every call that waits
--- and every on_ack has received nil, err when this returns; no further step of the loop is
--- needed. Operations in an op log without a file are gone: call `drain` first.
--- On a 0.11 cluster whose membership has just changed, it first repeats the acknowledged writes
--- that may be lost by that. This takes half a second, longer while the membership keeps changing,
--- and at most `timeout`. Writes that are not repeated by then are logged (`writes_unverified`),
--- reported by the event `unverified`, and counted in the error.
--- It may be called twice.
---@param timeout number|string|nil  a duration: seconds or "5s"; default: 5 s
---@return boolean|nil ok
---@return wingman.error|nil  TIMEOUT with unverified and pending (see backlog); the client is closed all the same
function methods:close(timeout)
  timeout = duration.limit(timeout, "client:close", 2)
  if self.closed then return true end
  local ok, err = self:wait_for_membership(timeout)
  if self.closed then return true end
  self.closed = true
  self.write_error = errors.new("CLOSED", "the client is closed")
  open_clients.remove(self)
  loop.remove_source(self)
  loop.at_once(end_waits, self)
  write_log_out(self)
  self.core:close()
  if loop.handle():is_ours() then loop.send_now() end -- the close frames
  if self.embedded then self.embedded:stop() end
  self.embedded = nil
  return ok, err
end

--- Part of the loop: what was recorded leaves at the end of the tick.
function methods:flush()
  if self.engine then self.engine:flush() end
  if self.options.oplog.path then self.core:sync_log() end
end

--- Writes the op log to its file now, instead of at the end of the tick. When it returns true, everything
--- recorded before is in the file. True without a file, too.
---@return boolean|nil, wingman.error|nil
function methods:sync()
  if self.closed then return nil, errors.new("CLOSED", "the client is closed") end
  local ok, reason, problem = self.core:sync_log()
  if ok then return true end
  local path = self.options.oplog.path
  return nil, errors.new("OPLOG", ("the op log's file '%s' cannot be written: %s"):format(path, reason),
    { problem = problem, path = path })
end

--- Part of the loop: hands out what the network brought; with a deadline (of
--- loop.now) one event, or a part of a large one, at least, and none after it. True when
--- some are left. Changes of replicas come last: what is read before them need not be reported twice.
---@param deadline number|nil
---@param values_until number|false|nil  the deadline for these values; nil: the other one; false: none now, as sockets are served next
---@return boolean|nil left
function methods:drain_events(deadline, values_until)
  local most, is_late = deadline and DECODED_AT_ONCE or nil, false
  while not self.closed do
    local event, connection_id, a, b, flag, text, err, value = self.core:next_event(most)
    if not event then break end
    local handler = core_events[event]
    if handler then handler(self, connection_id, a, b, flag, text, err, value)
    elseif self.provider then self.provider:handle(event, connection_id, a, b, flag, text) end
    is_late = deadline ~= nil and now() >= deadline
    if is_late then break end
  end
  if values_until ~= false and next(self.copies) and not self.closed and self:work_on_copies(values_until or deadline) then return true end
  if is_late then return true end
  if self.provider and not self.closed then self.provider.failovers:look() end
end

--- Part of the loop: whether something was recorded that has not been handed over.
function methods:has_work() return self.engine ~= nil and self.engine:has_work() end

-- Maps and settings ------------------------------------------------------------

--- The map of this name, the same object each time. Raises for a name that is empty, longer
--- than 256 bytes or not valid UTF-8.
---@param name string
---@return wingman.map
function methods:map(name)
  wire_name.check_map(name, "client:map", 2)
  if self.closed then error("client:map: the client is closed", 2) end
  local map = self.maps[name]
  if not map then
    map = map_module.new(self, name)
    self.maps[name] = map
    self.map_order[#self.map_order + 1] = name
  end
  return map
end

--- Internal: the map, if the script uses it.
function methods:known_map(name) return self.maps[name] end

--- Sets a new token or token function. Nodes that refused the old one are tried again at once; the
--- others get the new one with their next connection.
---@param token string|fun(): string
function methods:set_auth_token(token)
  if type(token) ~= "string" and type(token) ~= "function" then
    error("set_auth_token: a string or a function is expected, got " .. type(token), 2)
  end
  if type(token) == "string" and not core.utf8_valid(token) then error("set_auth_token: the token is not valid UTF-8", 2) end
  self.options.auth = { token = token }
  if self.provider then self.provider:set_token(token) end
end

--- Calls `fn` at every event of this name (docs/reference/events.md). An error in it goes to
--- the option log_to (once a second for each place that fails), is counted in
--- stats().callback_errors, and ends nothing else.
---@param event wingman.client_event  one of wingman.client.events
---@param fn function
function methods:on(event, fn) self.events:on(event, fn, "client:on", 3) end

--- Removes a listener. Safe when it is not there.
---@param event wingman.client_event
---@param fn function
function methods:off(event, fn) self.events:off(event, fn, "client:off", 3) end

return M
