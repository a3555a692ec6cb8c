--- The listening connections of a client: one to each node, beside those for operations, for questions about what
--- nodes hold and for what they announce. No operation is sent on them, so a long answer delays no
--- acknowledgement, an answer that ends its connection ends no batch, and a v2 server, which leaves out the connection
--- that wrote, announces this client's own writes there.
---
--- They are opened when one is first needed: to every node that is connected then, and to every node that connects
--- later. A client that only writes has none. The reconnect policy, TLS, proxy, resolver and tokens are those of the
--- other connections. The state of one says nothing about its node: routes, circuit breakers and `node_lost`
--- take no notice of it. While its node is not connected, one that is open stays, as its answers are still true, and
--- one that is not open waits for the node.
---
--- Which node answers is asked, as on every connection. Another one than the expected is disconnected, and is tried
--- again as the policy says.
local connections_module = require "wingman.cluster.connections"
local emitter = require "wingman.base.emitter"
local errors = require "wingman.base.error"
local escape = require "wingman.base.escape"
local log_throttle = require "wingman.loop.log_throttle"
local loop = require "wingman.loop"
local merkle_walk = require "wingman.cluster.merkle_walk"

local M = {}

--- Tries to learn a node's id; then the connection is opened again.
local IDENTIFY_TRIES = 3
--- RFC 6455: the close frame had no code.
local NO_CODE = 1005

---@class wingman.listener: wingman.node  what `connections` keeps of a listening connection
---@field of wingman.node   its node
---@field is_ready boolean  it is open, and leads to this node
---@field ends integer  how often it has ended
---@field cut_short "perhaps"|"likely"|nil  whether its last end may have been in place of an answer

---@class wingman.listeners_host
---@field beside wingman.connections  those for operations
---@field nodes fun(): wingman.node[]  those that are connected
---@field id_of fun(node: wingman.node): string|nil  its id, as the connections for operations know it; may wait
---@field root_map fun(connection_id: integer): string  the map whose root is asked for
---@field auth_failed fun(node: wingman.node, message: string)

---@class wingman.listeners
---@field is_open boolean  one was needed
---@field core userdata
---@field requests wingman.requests
---@field trees table<integer, wingman.node_tree>  see wingman.cluster.listening.node_trees
---@field large table<string, wingman.large_leaf>  see wingman.cluster.listening.large_leaves
---@field private busy table<wingman.node, wingman.future>
---@field private connections wingman.connections
---@field private by_node table<wingman.node, wingman.listener>
---@field private events wingman.emitter
local methods = {}
methods.__index = methods

-- Whether a v2 server may have ended it in place of an answer that is too large: it closes it without a code then, or,
-- when more questions are under way, breaks it off, or goes silent (2.2.0).
local function cut_short_by(reason, code)
  if reason == "closed" and code == NO_CODE then return "likely" end
  return (reason == "lost" or reason == "heartbeat") and "perhaps" or nil
end

-- It was open, and is not any more: waits for answers end, and listeners are notified.
local function end_listening(self, listener, reason, code, detail)
  listener.ends = listener.ends + 1
  listener.cut_short = listener.of.dialect == "v2" and cut_short_by(reason, code) or nil
  self.requests:connection_lost(listener.connection_ids[1], listener.cut_short)
  if not listener.is_ready then return end
  listener.is_ready = false
  self.events:emit("lost", listener.of, listener.connection_ids[1], reason, code, detail)
end

local function disconnect(self, listener)
  self.connections:disconnect(listener)
  end_listening(self, listener, "local", 0, "closed by this side")
end

local function connection_of(self, listener) return self.connections.by_id[listener.connection_ids[1]] end

-- Identity ------------------------------------------------------------------------------

-- Another node's connection, or one that does not say whose it is, ends as if the network had ended it.
local function refuse(self, connection, reason, detail)
  self.core:disconnect(connection.id, 1000)
  self.log_seldom("warn", "listener_refused", { url = connection.node.url, reason = detail }, "listener_refused " .. connection.node.url)
  self.connections:handle("lost", connection.id, reason, 0, true, detail)
end

local function accept(self, connection)
  local listener = connection.node
  self.core:use_connection(connection.id)
  listener.is_ready = true
  self.events:emit("ready", listener.of, connection.id)
end

-- Asks which node answers. Waits.
local function identify(self, connection)
  local node, work = connection.node.of, {}
  connection.work = work
  for _ = 1, IDENTIFY_TRIES do
    local expected = self.host.id_of(node)
    local id = expected and merkle_walk.node_id(self.requests, connection.id, self.host.root_map(connection.id))
    if connection.work ~= work then return end -- it has ended meanwhile
    if id and id == expected then
      connection.work = nil
      return accept(self, connection)
    elseif id then
      return refuse(self, connection, "other_node", ("%s answers there, not %s"):format(escape.plain(id), escape.plain(expected)))
    end
  end
  refuse(self, connection, "no_id", "it does not say which node it is")
end

-- Opening and closing ---------------------------------------------------------------------

local function adopt(self, node)
  local listener = {
    index = node.index, url = node.url, whole_url = node.whole_url, connection_ids = { self.core:listener_of(node.index) },
    is_seed = false, settled = false, losses = {}, of = node, is_ready = false, ends = 0,
  }
  self.connections:adopt(listener)
  self.by_node[node] = listener
  return listener
end

--- Part of the provider's business: a node is connected, perhaps again, and perhaps as another one.
---@param node wingman.node
function methods:node_connected(node)
  if not self.is_open then return end
  local listener = self.by_node[node] or adopt(self, node)
  if listener.id ~= node.id then disconnect(self, listener) end
  listener.id, listener.refused_token = node.id, node.refused_token
  self.connections:connect(listener)
  self.connections:hurry(listener)
end

--- Part of the provider's business: no connection for operations is left to a node.
---@param node wingman.node
function methods:node_lost(node)
  local listener = self.by_node[node]
  if listener and connection_of(self, listener).state ~= "ready" then disconnect(self, listener) end
end

--- Ends the listening connection of a node that is not wanted any more.
---@param node wingman.node
function methods:drop(node)
  local listener = self.by_node[node]
  if not listener then return end
  disconnect(self, listener)
  self.connections:abandon(listener)
  self.by_node[node] = nil
end

--- From now on each node that is connected has a listening connection. May be called often; one that the
--- policy has given up is tried again.
function methods:open()
  if self.closed then return end
  if not self.is_open then
    self.is_open = true
    for _, node in ipairs(self.host.nodes()) do self:node_connected(node) end
    return
  end
  for node, listener in pairs(self.by_node) do
    if node.usable and connection_of(self, listener).state == "given_up" then self.connections:hurry(listener) end
  end
end

-- Use -----------------------------------------------------------------------------------

--- The listening connection of a node; nil while it has none that is ready, and after `close`.
---@param node wingman.node
---@return integer|nil connection_id
function methods:of(node)
  local listener = self.by_node[node]
  return not self.closed and listener and listener.is_ready and listener.connection_ids[1] or nil
end

--- Opens them if need be, and waits for that of one node.
---@param node wingman.node
---@param deadline number  of loop.now
---@return integer|nil connection_id, wingman.error|nil
function methods:await(node, deadline)
  self:open()
  local connection_id = self:of(node)
  if connection_id then return connection_id end
  loop.wait_until(function() return self.closed or self:of(node) end, math.max(0, deadline - loop.now()))
  connection_id = self:of(node)
  if connection_id then return connection_id end
  if self.closed then return nil, errors.new("CLOSED", "the client was closed") end
  return nil, errors.new("NOT_CONNECTED", ("%s: %s"):format(node.id or node.url, self:problem_of(node)), { node = node.id, retriable = true })
end

--- How often the listening connection of a node has ended, and whether the last end may have been in place of an answer.
---@param node wingman.node
---@return integer count, boolean was_cut_short
function methods:ends_of(node)
  local listener = self.by_node[node]
  if not listener then return 0, false end
  return listener.ends, listener.cut_short ~= nil
end

--- Runs fn() while no other such call for the node does; for questions that may end the connection. What fn returns;
--- nil, "timeout" without a call after the deadline.
---@param node wingman.node
---@param deadline number  of loop.now
---@param fn fun(): any, any
---@return any, any
function methods:alone(node, deadline, fn)
  while self.busy[node] do
    local left = deadline - loop.now()
    if left <= 0 then return nil, "timeout" end
    self.busy[node]:wait(left)
  end
  local over = loop.future()
  self.busy[node] = over
  local result, err = fn()
  self.busy[node] = nil
  over:resolve(true)
  return result, err
end

--- Why a node's listening connection is not ready, for people.
---@param node wingman.node
---@return string
function methods:problem_of(node)
  local listener = self.by_node[node]
  local state = "its listening connection is " .. self:state_of(node)
  if not (listener and listener.last_reason) then return state end
  local has_detail = listener.last_detail and listener.last_detail ~= ""
  return ("%s, after: %s%s"):format(state, listener.last_reason, has_detail and " (" .. listener.last_detail .. ")" or "")
end

--- "off" while none was needed, "idle", "connecting", "authenticating", "identifying" (it is open, and is asked which
--- node it is), "ready", "backoff", "refused" (the token) or "given_up".
---@param node wingman.node
---@return string
function methods:state_of(node)
  local listener = self.by_node[node]
  if not listener then return "off" end
  local state = connection_of(self, listener).state
  return state == "ready" and not listener.is_ready and "identifying" or state
end

--- Calls fn(node, connection_id) each time that one is "ready", or fn(node, connection_id, reason, code, detail) when one
--- that was ready is "lost". What was asked on that one is not answered any more, and what it announced since is missed.
---@param event "ready"|"lost"
---@param fn function
function methods:on(event, fn) self.events:on(event, fn) end

--- Ends an `on`.
---@param event "ready"|"lost"
---@param fn function
function methods:off(event, fn) self.events:off(event, fn) end

--- Whether a connection is a listening one.
---@param connection_id integer
---@return boolean
function methods:has(connection_id) return self.connections.by_id[connection_id] ~= nil end

--- Takes an event of the core; true when it was about the state of a listening connection.
function methods:handle(event, connection_id, ...)
  if not self:has(connection_id) then return false end
  return self.connections:handle(event, connection_id, ...)
end

--- Ends timers and waits. The sockets close with the core client.
function methods:close()
  self.closed = true
  self.connections:close()
end

---@param core userdata  wingman.core.client
---@param options table  checked options of the client
---@param reconnect function  the reconnect policy
---@param requests wingman.requests
---@param host wingman.listeners_host
---@return wingman.listeners
function M.new(core, options, reconnect, requests, host)
  local function log(level, event, fields)
    fields.listening = true
    options.log_to(level, event, fields)
  end
  local self = setmetatable({
    core = core, requests = requests, host = host, log_seldom = log_throttle.new(log), is_open = false, closed = false, by_node = {}, trees = {}, large = {}, busy = {},
    events = emitter.new { names = { ready = true, lost = true } },
  }, methods)
  self.connections = connections_module.new(core, options, reconnect, {
    ready = function(connection) loop.spawn(identify, self, connection) end,
    lost = function(connection, reason, code, detail)
      local listener = connection.node
      end_listening(self, listener, reason, code, detail)
      if not listener.of.usable then self.connections:disconnect(listener) end
    end,
    changed = function() end,
    auth_failed = function(connection, message) host.auth_failed(connection.node.of, message) end,
    log = log,
    -- It does not end before its node.
    is_last_resort = function(connection) return connection.node.of.usable == true end,
  }, host.beside)
  return self
end

return M
