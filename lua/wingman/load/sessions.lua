--- Connections of single users (`connections = "per-vu"`): each has its own, with its own
--- authentication and heartbeat, to one of the nodes in turns. They are for tests of
--- connections, authentication and sessions: a user sends messages of the protocol there
--- and receives what the server says. What it writes to a map goes by the shared client,
--- to the owner. All of them are connections of one client of the core, so that one costs a
--- socket and its buffers, and no Lua state of its own while it is idle.
local cjson = require "cjson"
local connection_options = require "wingman.client.options.connection"
local core_module = require "wingman.core"
local core_options = require "wingman.client.options.core"
local errors = require "wingman.base.error"
local inbox = require "wingman.load.inbox"
local loop = require "wingman.loop"
local options_module = require "wingman.client.options.rules"
local token_source = require "wingman.cluster.token_source"
local url_module = require "wingman.base.url"

local M = {}

--- LuaJIT begins a collection when the heap has grown to so many percent of what the last
--- one left; its own 200 let the garbage of a storm of connections double what stays.
local COLLECTOR_PAUSE = 150

--- Error codes by the reason why a connection could not be made.
local codes = { auth_failed = "AUTH_FAILED", [token_source.NO_TOKEN] = "AUTH_FAILED", timeout = "TIMEOUT" }

---@class wingman.load.sessions
---@field open integer   connections that are ready now
---@field lost integer   that ended without our doing
---@field inboxes wingman.load.inboxes  by connection: what came while its user did not wait for it
---@field private collector_pause integer  of before
local methods = {}
methods.__index = methods

--- Room for `capacity` connections to the nodes of these URLs.
---@param given { urls: string[], token: string|function|nil, capacity: integer, metrics: userdata, client: table|nil, lost: fun(reason: string), inbox_full: nil|fun() }
---  `inbox_full` is called when a message was dropped for the first time
---@return wingman.load.sessions|nil, string|nil err
function M.new(given)
  local options = {}
  for name, value in pairs(given.client or {}) do options[name] = value end
  options.cluster, options.oplog = { seeds = given.urls }, nil
  options = options_module.check(connection_options.complete(options), 2)
  options.connections_per_node = math.ceil(given.capacity / #given.urls)
  local wanted = core_options.of(options)
  local core, err = core_module.client(loop.handle(), wanted)
  if not core then return nil, err end
  core:measure(given.metrics)
  core:forward_acks(true) -- no batch of ours is in flight there
  local self = setmetatable({
    core = core, token = given.token, timeout = options.connect_timeout + options.auth_timeout, on_lost = given.lost,
    inboxes = inbox.new(), on_inbox_full = given.inbox_full, open = 0, lost = 0, ready = {}, waiting = {}, receivers = {}, per_node = options.connections_per_node, nodes = #given.urls,
    urls = {},
  }, methods)
  for i, url in ipairs(given.urls) do
    self.urls[i] = url_module.shown(url)
    local node_index, wrong = core:add_node(url, self.urls[i])
    if not node_index then
      core:close()
      return nil, wrong
    end
  end
  self.collector_pause = collectgarbage("setpause", COLLECTOR_PAUSE)
  loop.add_source(self)
  return self
end

-- Users take nodes in turns: 1 the first, 2 the second.
local function connection_id_of(self, id)
  return self.core:connection_of((id - 1) % self.nodes, math.floor((id - 1) / self.nodes) % self.per_node)
end

--- Connects user `id` and waits until it is authenticated. True, or nil, err.
---@param id integer
---@param timeout number|nil seconds
---@return boolean|nil, wingman.error|nil
function methods:connect(id, timeout)
  local connection_id = connection_id_of(self, id)
  if self.ready[connection_id] then return true end
  local future = self.waiting[connection_id] or loop.future()
  if not self.waiting[connection_id] then
    self.waiting[connection_id] = future
    self.inboxes:clear(connection_id) -- what the last connection has left
    local ok, err = self.core:connect(connection_id)
    if not ok then
      self.waiting[connection_id] = nil
      return nil, errors.new("NOT_CONNECTED", err)
    end
  end
  local ok, reason = future:wait(timeout or self.timeout)
  if ok then return true end
  if self.waiting[connection_id] == future then
    self.waiting[connection_id] = nil
    self.core:disconnect(connection_id, 1000)
  end
  return nil, errors.new(codes[reason] or "NOT_CONNECTED",
    ("user %d could not connect: %s"):format(id, tostring(reason)))
end

-- Rejects the waits for messages of a connection that has ended.
local function end_receivers(self, connection_id)
  local receivers = self.receivers[connection_id]
  self.receivers[connection_id] = nil
  for _, receiver in ipairs(receivers or {}) do receiver.future:reject "the connection ended" end
end

--- Ends the user's connection. Safe twice.
---@param id integer
function methods:disconnect(id)
  local connection_id = connection_id_of(self, id)
  end_receivers(self, connection_id)
  self.inboxes:clear(connection_id)
  if self.ready[connection_id] then
    self.ready[connection_id] = nil
    self.open = self.open - 1
  end
  self.core:disconnect(connection_id, 1000)
end

---@param id integer
function methods:is_connected(id) return self.ready[connection_id_of(self, id)] == true end

-- Messages ------------------------------------------------------------------------

local function not_connected(id) return errors.new("NOT_CONNECTED", ("user %d has no connection"):format(id)) end

--- Sends a message on the user's connection. True, or nil, err.
---@param id integer
---@param message table
---@return boolean|nil, wingman.error|nil
function methods:send(id, message)
  local bytes, wrong = core_module.encode(message)
  if not bytes then return nil, errors.new("NOT_ENCODABLE", ("user %d: the message %s"):format(id, wrong)) end
  local connection_id = connection_id_of(self, id)
  if not self.ready[connection_id] then return nil, not_connected(id) end
  local ok, reason = self.core:send(connection_id, bytes)
  if ok then return true end
  return nil, errors.new("NOT_SENT", ("user %d: the message was not sent: %s"):format(id, reason))
end

-- A message, or the error for one that was too large to read.
local function outcome(entry)
  if entry.err then return nil, entry.err end
  return entry.message
end

-- Waits for a message that comes from now on.
local function await(self, id, connection_id, wanted, timeout)
  local receiver = { wanted = wanted, future = loop.future() }
  local receivers = self.receivers[connection_id] or {}
  self.receivers[connection_id] = receivers
  receivers[#receivers + 1] = receiver
  local entry, reason = receiver.future:wait(timeout)
  if entry then return outcome(entry) end
  if receiver.raised then error(receiver.raised, 0) end
  for i, one in ipairs(receivers) do
    if one == receiver then table.remove(receivers, i) end
  end
  if reason ~= "timeout" then return nil, errors.new("NOT_CONNECTED", ("user %d: %s"):format(id, reason)) end
  return nil, errors.new("TIMEOUT", ("user %d: no %s in %g s"):format(id, type(wanted) == "string" and wanted or "such message", timeout))
end

--- The oldest message on the user's connection that is `wanted` (of this type, or that the function says true of) and was
--- not received yet; waits for it when there is none. Others stay in the inbox. The message, or nil, err.
---@param id integer
---@param wanted string|fun(message: table): any
---@param timeout number  seconds
---@return table|nil, wingman.error|nil
function methods:receive(id, wanted, timeout)
  local connection_id = connection_id_of(self, id)
  local entry = self.inboxes:take(connection_id, function(one)
    if type(wanted) == "string" then return one.message.type == wanted end
    return wanted(one.message)
  end)
  if entry then return outcome(entry) end
  if not self.ready[connection_id] then return nil, not_connected(id) end
  return await(self, id, connection_id, wanted, timeout)
end

--- Sends a message and waits for what comes after it: an answer to an earlier question is none. The answer, or nil, err.
---@param id integer
---@param message table
---@param wanted string|fun(message: table): any
---@param timeout number  seconds
---@return table|nil, wingman.error|nil
function methods:request(id, message, wanted, timeout)
  local sent, err = self:send(id, message)
  if not sent then return nil, err end
  return await(self, id, connection_id_of(self, id), wanted, timeout)
end

-- An error in a function of the script is raised where its user waits.
local function is_wanted(receiver, message)
  if type(receiver.wanted) == "string" then return message.type == receiver.wanted end
  local ok, result = pcall(receiver.wanted, message)
  if not ok then receiver.raised = result end
  return result
end

-- An entry { message, err } goes to the first who waits for it, else into the inbox.
local function deliver(self, connection_id, entry)
  local receivers = self.receivers[connection_id]
  for i, receiver in ipairs(receivers or {}) do
    if is_wanted(receiver, entry.message) then
      table.remove(receivers, i)
      if receiver.raised then return receiver.future:reject "raised" end
      return receiver.future:resolve(entry)
    end
  end
  local was_full = self.inboxes.dropped > 0
  if not self.inboxes:add(connection_id, entry) and not was_full and self.on_inbox_full then self.on_inbox_full() end
end

local function received(self, connection_id, message)
  if type(message) == "table" then deliver(self, connection_id, { message = message }) end
end

-- A message that was not read: its description is delivered in its place.
local function refused(self, connection_id, description)
  local url = self.urls[self.core:node_of(connection_id) + 1]
  deliver(self, connection_id, { message = description, err = errors.too_large(url, description) })
end

-- Events --------------------------------------------------------------------------

local function show_token(self, connection_id)
  local token = self.token
  if type(token) == "function" then token = token() end
  if type(token) == "string" then return self.core:authenticate(connection_id, token) end
  local future = self.waiting[connection_id]
  self.waiting[connection_id] = nil
  self.core:disconnect(connection_id, 1000)
  if future then future:reject(token_source.NO_TOKEN) end
end

local function became_ready(self, connection_id)
  self.ready[connection_id] = true
  self.open = self.open + 1
  local future = self.waiting[connection_id]
  self.waiting[connection_id] = nil
  if future then future:resolve(true) end
end

local function ended(self, connection_id, reason)
  end_receivers(self, connection_id)
  local future = self.waiting[connection_id]
  self.waiting[connection_id] = nil
  if future then return future:reject(reason) end
  if not self.ready[connection_id] then return end
  self.ready[connection_id] = nil
  self.open, self.lost = self.open - 1, self.lost + 1
  self.on_lost(reason)
end

local function decode_text(text)
  local ok, message = pcall(cjson.decode, text)
  return ok and message
end

-- By event; what the arguments are is said in core/client/parts/event_queue.h.
local handlers = {
  auth_required = show_token,
  ready = became_ready,
  lost = ended,
  message = function(self, connection_id, _, _, _, message) received(self, connection_id, message) end,
  -- Not merged, as there are no maps here: it comes as it is.
  map_event = function(self, connection_id, _, _, _, event) received(self, connection_id, { type = "SERVER_EVENT", payload = event }) end,
  server_error = function(self, connection_id, _, _, _, message) received(self, connection_id, message) end,
  too_large = function(self, connection_id, _, _, _, bytes) refused(self, connection_id, core_module.decode(bytes) or {}) end,
  text = function(self, connection_id, _, _, _, text) received(self, connection_id, decode_text(text)) end,
}

local function handle(self, event, connection_id, ...)
  if not event then return false end
  local handler = handlers[event]
  if handler then handler(self, connection_id, ...) end
  return true
end

--- Part of the loop.
function methods:drain_events()
  while self.core and handle(self, self.core:next_event()) do end
end

--- Ends all connections. Safe twice.
function methods:close()
  if not self.core then return end
  loop.remove_source(self)
  for connection_id in pairs(self.receivers) do end_receivers(self, connection_id) end
  collectgarbage("setpause", self.collector_pause)
  self.core:close()
  self.core = nil
end

return M
