--- Connections of a client to its nodes: opens them, shows the token, and opens them again after a delay.
--- Both providers use it for operations, and wingman.cluster.listening.listeners for listening; they decide what is sent.
local authentication = require "wingman.cluster.authentication"
local escape = require "wingman.base.escape"
local loop = require "wingman.loop"
local resolver = require "wingman.cluster.resolver"
local script_traceback = require "wingman.base.script_traceback"
local url_module = require "wingman.base.url"

local M = {}

--- Reasons after which the delay before a reconnect keeps growing although connections succeed in
--- between: the node is overloaded, or it cannot read what this client sends, which a repetition will
--- not change; or another node than the expected one answers on a listening connection, or none says who it is.
local backs_off = { overloaded = true, bad_frame = true, other_node = true, no_id = true }
--- Tries in a row that say that a node is not there any more.
local AWAY_AFTER = 3
--- Connections that are being opened at a time to nodes that the user has not named, and how
--- many of these may be to nodes that have never answered.
local DIALS, DIALS_TO_UNPROVEN = 8, 6
--- Nodes that the user has not named.
local MAX_NODES = 1024
--- A connection that lasted so long is a fresh start all the same (seconds).
local CALM = 60

---@class wingman.node
---@field index integer    the core's number of this node
---@field url string     as people may see it: without the values of its query
---@field whole_url string  to connect with, for policies and resolvers alone
---@field id string|nil    server-assigned; nil until a connection has shown it
---@field connection_ids integer[]  the core's numbers of its connections
---@field is_seed boolean  the user gave its URL
---@field listed_as string|nil  the id under which a partition map gave its URL
---@field settled boolean  a first connection has worked or failed
---@field ready_turn integer|nil  which of all connections that became ready its last one was
---@field last_reason string|nil  why the last connection ended
---@field last_detail string|nil
---@field losses table<string, integer>  how often its connections ended, or could not be made, by reason
---@field refused_token string|nil

---@class wingman.connection
---@field id integer
---@field node wingman.node
---@field state string  "idle" connecting authenticating ready backoff refused given_up
---@field attempt integer
---@field attempt_before integer  what `attempt` was when it became ready
---@field ready_at number|nil
---@field timer wingman.timer|nil
---@field work table|nil  what a task is finding out for its next step; another table: no longer wanted
---@field is_dialing boolean|nil  counts among the connections that are being opened
---@field was_proven boolean|nil  its node had answered when the opening began
---@field is_waiting boolean|nil  is to be opened when fewer are
---@field shown_token string|nil
---@field next_token string|nil

---@class wingman.connections
---@field nodes wingman.node[]
---@field by_index table<integer, wingman.node>
---@field by_url table<string, wingman.node>  by whole_url
---@field by_id table<integer, wingman.connection>
local methods = {}
methods.__index = methods

---@class wingman.connections_hooks
---@field ready fun(connection: wingman.connection)
---@field lost fun(connection: wingman.connection, reason: string, code: integer, detail: string, was_ready: boolean)
---@field changed fun()  a connection's state changed
---@field auth_failed fun(connection: wingman.connection, message: string)
---@field log fun(level: string, event: string, fields: table)
---@field is_last_resort nil|fun(connection: wingman.connection): boolean  for the policy; default: it leads to a seed, and no
---  connection is ready

--- Adds a node by URL; nil, err when the URL is invalid, or there are too many nodes.
---@param url string
---@param is_seed boolean  the user gave it
---@return wingman.node|nil, string|nil
function methods:add(url, is_seed)
  if not is_seed and #self.nodes >= MAX_NODES then return nil, ("a client has at most %d nodes"):format(MAX_NODES) end
  local shown = url_module.shown(url)
  local node_index, err = self.core:add_node(url, shown)
  if not node_index then return nil, ("'%s': %s"):format(escape.plain(shown), err) end
  local node = { index = node_index, url = shown, whole_url = url, connection_ids = {}, is_seed = is_seed, settled = false, losses = {} }
  for i = 0, self.per_node - 1 do node.connection_ids[i + 1] = self.core:connection_of(node_index, i) end
  self:adopt(node)
  return node
end

--- Takes care of connections to a node that the core knows already.
---@param node wingman.node
function methods:adopt(node)
  self.nodes[#self.nodes + 1], self.by_index[node.index], self.by_url[node.whole_url] = node, node, node
  for _, connection_id in ipairs(node.connection_ids) do
    self.by_id[connection_id] = { id = connection_id, node = node, state = "idle", attempt = 0, attempt_before = 0 }
  end
end

local function set_state(self, connection, state)
  if connection.state == state then return end
  connection.state = state
  self.hooks.changed()
end

-- Cancels the connection's timer, the task that works for it, and its place in the queue.
local function rest(connection)
  if connection.timer then connection.timer:cancel() end
  connection.timer, connection.work, connection.is_waiting = nil, nil, nil
end

local function open(self, connection, addresses)
  local called, ok, err = pcall(self.core.connect, self.core, connection.id, addresses)
  if called and ok then return end
  self:handle("lost", connection.id, called and "refused" or "dns", 0, false, called and err or ok)
end

-- Resolves the host with the script's resolver, which may wait.
local function resolve_and_open(self, connection, host)
  local work = {}
  connection.work = work
  loop.spawn(function()
    local addresses, reason = resolver.ask(self.resolver, host, self.resolver_timeout)
    if connection.work ~= work then return end -- no longer wanted
    connection.work = nil
    if addresses then return open(self, connection, addresses) end
    self:handle("lost", connection.id, "dns", 0, false, reason)
  end)
end

local function dial(self, connection)
  local host = self.resolver and resolver.name_in(connection.node.whole_url)
  if host then resolve_and_open(self, connection, host) else open(self, connection) end
end

local function is_proven(connection) return connection.node.id ~= nil end

local function may_dial(self, connection)
  return self.dialing < DIALS and (is_proven(connection) or self.dialing_unproven < DIALS_TO_UNPROVEN)
end

local function begin_dial(self, connection)
  connection.is_dialing, connection.is_waiting, connection.was_proven = true, nil, is_proven(connection)
  self.dialing = self.dialing + 1
  if not connection.was_proven then self.dialing_unproven = self.dialing_unproven + 1 end
  dial(self, connection)
end

-- The next connections that wait to be opened: first those to nodes that have answered before.
local function dial_next(self)
  for _, proven in ipairs { true, false } do
    local i, list = 1, self.waiting
    while list[i] do
      local connection = list[i]
      if not connection.is_waiting then table.remove(list, i)
      elseif is_proven(connection) == proven then
        if not may_dial(self, connection) then break end
        table.remove(list, i)
        begin_dial(self, connection)
      else i = i + 1 end
    end
  end
end

-- An attempt to open a connection has ended: the next one may begin.
local function end_dial(self, connection)
  if not connection.is_dialing then return end
  connection.is_dialing = nil
  self.dialing = self.dialing - 1
  if not connection.was_proven then self.dialing_unproven = self.dialing_unproven - 1 end
  if not self.closed and self.waiting[1] then loop.soon(dial_next, self) end
end

local function connect_one(self, connection)
  rest(connection)
  set_state(self, connection, "connecting")
  if connection.node.is_seed then return dial(self, connection) end
  if may_dial(self, connection) then return begin_dial(self, connection) end
  connection.is_waiting = true
  self.waiting[#self.waiting + 1] = connection
end

--- Starts connecting every idle connection of a node.
---@param node wingman.node
function methods:connect(node)
  for _, connection_id in ipairs(node.connection_ids) do
    local connection = self.by_id[connection_id]
    if connection.state == "idle" or connection.state == "backoff" then connect_one(self, connection) end
  end
end

--- The node is said to be there: connections that wait for their next try, or
--- were given up, try now.
---@param node wingman.node
function methods:hurry(node)
  for _, connection_id in ipairs(node.connection_ids) do
    local connection = self.by_id[connection_id]
    local may_hurry = not backs_off[node.last_reason] -- the node is there, and overloaded
    if connection.state == "given_up" or (connection.state == "backoff" and may_hurry) then connect_one(self, connection) end
  end
end

--- Whether tries to connect to a node failed several times in a row, or are given up.
---@param node wingman.node
---@return boolean
function methods:is_away(node)
  local connection = self.by_id[node.connection_ids[1]]
  return connection.state == "given_up" or (connection.state ~= "ready" and connection.attempt >= AWAY_AFTER)
end

--- Closes a node's connections and does not try again.
---@param node wingman.node
---@param state string|nil  what they are then; default "idle"
function methods:disconnect(node, state)
  for _, connection_id in ipairs(node.connection_ids) do
    local connection = self.by_id[connection_id]
    rest(connection)
    self.core:disconnect(connection_id, 1000)
    end_dial(self, connection)
    set_state(self, connection, state or "idle")
  end
end

local restful = { idle = true, backoff = true, given_up = true, refused = true }

local function is_at_rest(self, node)
  for _, connection_id in ipairs(node.connection_ids) do
    local connection = self.by_id[connection_id]
    if not (restful[connection.state] or connection.is_waiting) then return false end
  end
  return true
end

--- Forgets a node. False for a seed, for a node with a connection, and for one that the core still needs
--- for a partition map.
---@param node wingman.node
---@return boolean
function methods:forget(node)
  if node.is_seed or not is_at_rest(self, node) or not self.core:forget_node(node.index) then return false end
  self:abandon(node)
  return true
end

--- Takes care of connections to a node no longer; they are closed.
---@param node wingman.node
function methods:abandon(node)
  for _, connection_id in ipairs(node.connection_ids) do
    rest(self.by_id[connection_id])
    self.by_id[connection_id] = nil
  end
  self.by_index[node.index], self.by_url[node.whole_url] = nil, nil
  for i = #self.nodes, 1, -1 do
    if self.nodes[i] == node then table.remove(self.nodes, i) end
  end
end

local function any_is_ready(self)
  for _, connection in pairs(self.by_id) do
    if connection.state == "ready" then return true end
  end
  return false
end

-- Asks the policy; nil when it gives up. An error in it counts as giving up and
-- is reported with its traceback.
local function next_delay(self, connection, reason)
  local is_last = self.hooks.is_last_resort
  local node = { id = connection.node.id, url = connection.node.whole_url }
  if is_last then node.last_resort = is_last(connection)
  else node.last_resort = connection.node.is_seed and not any_is_ready(self) end
  local ok, delay = xpcall(function() return self.reconnect(node, connection.attempt, reason) end, script_traceback.of)
  if ok and (delay == nil or type(delay) == "number") then return delay end
  self.hooks.log("error", "reconnect_policy", {
    url = connection.node.url,
    error = ok and ("a number of seconds or nil is expected, got " .. type(delay)) or delay,
  })
  return nil
end

local function schedule(self, connection, reason)
  connection.attempt = connection.attempt + 1
  local delay = next_delay(self, connection, reason)
  if not delay then
    set_state(self, connection, "given_up")
    self.hooks.log("warn", "node_given_up", { url = connection.node.url, reason = reason, attempts = connection.attempt - 1 })
    return
  end
  set_state(self, connection, "backoff")
  connection.timer = loop.timer(delay, function()
    connection.timer = nil
    if not self.closed then connect_one(self, connection) end
  end)
end

-- The last node is lost: the seeds that were given up while others were there are
-- what is left.
local function fall_back_to_seeds(self)
  if any_is_ready(self) then return end
  for _, connection in pairs(self.by_id) do
    if connection.node.is_seed and connection.state == "given_up" then
      connection.attempt = 0
      schedule(self, connection, "cluster_lost")
    end
  end
end

-- Records the end of a connection, or of an attempt to open one.
local function note_loss(self, connection, reason, detail)
  local node = connection.node
  node.settled = true
  node.last_reason, node.last_detail = reason, detail
  node.losses[reason] = (node.losses[reason] or 0) + 1
  self.losses[reason] = (self.losses[reason] or 0) + 1
  local lasted = connection.ready_at and loop.now() - connection.ready_at or 0
  if backs_off[reason] and lasted < CALM then connection.attempt = math.max(connection.attempt, connection.attempt_before) end
  connection.ready_at, connection.work = nil, nil
  connection.state = "idle"
end

-- What follows the end of a connection.
local function lost(self, connection, reason, code, detail, was_ready)
  local is_auth = reason == "auth_failed"
  detail = detail and escape.plain(detail) -- a server's words
  if is_auth then detail = self.authentication.tokens:scrubbed(detail) end
  note_loss(self, connection, reason, detail)
  if not self.closed then
    if is_auth then self.authentication:refused(connection) else schedule(self, connection, reason) end
    if was_ready then fall_back_to_seeds(self) end
  end
  self.hooks.lost(connection, reason, code, detail, was_ready)
  if is_auth then self.hooks.auth_failed(connection, detail) end
end

--- Handles an event of the core. True when it was about a connection: auth_required, ready or lost.
function methods:handle(event, connection_id, a, b, flag, text)
  local connection = self.by_id[connection_id]
  if event == "auth_required" or event == "ready" or event == "lost" then end_dial(self, connection) end
  -- From before it was disconnected: the event had not been handled yet.
  if (event == "auth_required" or event == "ready") and connection.state == "idle" then return true end
  if event == "auth_required" then
    self.authentication:show(connection)
  elseif event == "ready" then
    connection.attempt_before, connection.attempt, connection.ready_at = connection.attempt, 0, loop.now()
    self.times_ready = self.times_ready + 1
    connection.node.settled, connection.node.ready_turn = true, self.times_ready
    connection.node.last_reason, connection.node.last_detail = nil, nil
    set_state(self, connection, "ready")
    self.hooks.ready(connection)
  elseif event == "lost" then
    lost(self, connection, a, b, text, flag)
  else
    return false
  end
  return true
end

--- Sets a new token. Connections that were refused are opened again at once.
---@param token string|function
function methods:set_token(token) self.authentication:set(token) end

local function is_ready(self, node)
  for _, connection_id in ipairs(node.connection_ids) do
    if self.by_id[connection_id].state == "ready" then return true end
  end
  return false
end

--- The indexes of the nodes that can be asked, the one that connected last at the end. It is read from the
--- connections at each call: a list of its own would go on naming a node that was forgotten.
---@return integer[]
function methods:ready_indexes()
  local nodes, indexes = {}, {}
  for _, node in ipairs(self.nodes) do
    if is_ready(self, node) then nodes[#nodes + 1] = node end
  end
  table.sort(nodes, function(a, b) return a.ready_turn < b.ready_turn end)
  for i, node in ipairs(nodes) do indexes[i] = node.index end
  return indexes
end

--- How many connections are in each state.
---@return table<string, integer>
function methods:count_states()
  local counts = {}
  for _, connection in pairs(self.by_id) do counts[connection.state] = (counts[connection.state] or 0) + 1 end
  return counts
end

--- Cancels every timer. The sockets close with the core client.
function methods:close()
  self.closed = true
  self.authentication:close()
  for _, connection in pairs(self.by_id) do
    rest(connection)
    connection.state = "idle"
  end
end

--- One line with the state of each node: connected, or why not.
function methods:reasons()
  local lines = {}
  for _, node in ipairs(self.nodes) do
    local state = "connected"
    if not node.usable then
      state = node.last_reason or "no answer yet"
      if node.last_detail and node.last_detail ~= "" then state = state .. " (" .. node.last_detail .. ")" end
    end
    lines[#lines + 1] = node.url .. ": " .. state
  end
  return table.concat(lines, "; ")
end

local function authentication_host(self)
  return {
    authenticate = function(connection, shown) self.core:authenticate(connection.id, shown) end,
    open = function(connection) connect_one(self, connection) end,
    set_state = function(connection, state) set_state(self, connection, state) end,
    delay = function(connection) return next_delay(self, connection, "auth_failed") end,
    no_token = function(connection, why)
      self.core:disconnect(connection.id, 1000)
      lost(self, connection, "auth_failed", 0, why, false)
    end,
    refused_connections = function()
      local found = {}
      for _, connection in pairs(self.by_id) do
        local waits = connection.state == "backoff" and connection.node.last_reason == "auth_failed"
        if connection.state == "refused" or waits then found[#found + 1] = connection end
      end
      return found
    end,
    log = self.hooks.log,
  }
end

---@param core userdata  wingman.core.client
---@param options table  checked options of the client
---@param reconnect function  the reconnect policy
---@param hooks wingman.connections_hooks
---@param others wingman.connections|nil  which show the same tokens
---@return wingman.connections
function M.new(core, options, reconnect, hooks, others)
  local self = setmetatable({
    core = core,
    reconnect = reconnect,
    hooks = hooks,
    resolver = options.resolver,
    resolver_timeout = options.connect_timeout,
    per_node = options.connections_per_node,
    nodes = {},
    by_index = {},
    by_url = {},
    by_id = {},
    waiting = {},
    dialing = 0,
    times_ready = 0,
    dialing_unproven = 0,
    losses = {},
    closed = false,
  }, methods)
  local host = authentication_host(self)
  self.authentication = others and others.authentication:beside(host)
    or authentication.new(options.auth and options.auth.token, options.auth_timeout, host)
  return self
end

return M
