--- Connections of single users (`connections = "per-vu"`): each has its own, with its own
--- authentication and heartbeat, to one of the nodes in turns. They are for tests of
--- connections, authentication and sessions; what users write goes by the shared client,
--- to the owners. All of them are lanes of one client of the core, so that one costs a
--- socket and its buffers, and no Lua state of its own while it is idle.
local core_module = require "wingman.core"
local core_options = require "wingman.client.core_options"
local errors = require "wingman.error"
local loop = require "wingman.loop"
local options_module = require "wingman.options"

local M = {}

--- LuaJIT begins a collection when the heap has grown to so many percent of what the last
--- one left; its own 200 let the garbage of a storm of connections double what stays.
local COLLECTOR_PAUSE = 150

---@class wingman.load.sessions
---@field open integer   connections that are ready now
---@field lost integer   that ended without our doing
---@field private collector_pause integer  of before
local methods = {}
methods.__index = methods

--- Room for `capacity` connections to the nodes of these URLs.
---@param given { urls: string[], token: string|function|nil, capacity: integer, metrics: userdata, client: table|nil, lost: fun(reason: string) }
---@return wingman.load.sessions|nil, string|nil err
function M.new(given)
  local options = {}
  for name, value in pairs(given.client or {}) do options[name] = value end
  options.cluster, options.oplog = { seeds = given.urls }, nil
  options = options_module.check(options, 2)
  options.connections_per_node = math.ceil(given.capacity / #given.urls)
  local wanted = core_options.of(options)
  wanted.light = true
  local core, err = core_module.client(loop.handle(), wanted)
  if not core then return nil, err end
  core:measure(given.metrics)
  local self = setmetatable({
    core = core, token = given.token, timeout = options.connect_timeout + options.auth_timeout, on_lost = given.lost,
    open = 0, lost = 0, lanes = {}, waiting = {}, per_node = options.connections_per_node, nodes = #given.urls,
  }, methods)
  for _, url in ipairs(given.urls) do
    local slot, wrong = core:add_node(url)
    if not slot then
      core:close()
      return nil, wrong
    end
  end
  self.collector_pause = collectgarbage("setpause", COLLECTOR_PAUSE)
  loop.add_source(self)
  return self
end

-- Users take nodes in turns: 1 the first, 2 the second.
local function lane_of(self, id)
  return self.core:lane_of((id - 1) % self.nodes, math.floor((id - 1) / self.nodes) % self.per_node)
end

--- Connects user `id` and waits until it is authenticated. True, or nil, err.
---@param id integer
---@param timeout number|nil seconds
---@return boolean|nil, wingman.error|nil
function methods:connect(id, timeout)
  local lane = lane_of(self, id)
  if self.lanes[lane] then return true end
  local future = self.waiting[lane] or loop.future()
  if not self.waiting[lane] then
    self.waiting[lane] = future
    local ok, err = self.core:connect(lane)
    if not ok then
      self.waiting[lane] = nil
      return nil, errors.new("NOT_CONNECTED", err)
    end
  end
  local ok, reason = future:wait(timeout or self.timeout)
  if ok then return true end
  if self.waiting[lane] == future then
    self.waiting[lane] = nil
    self.core:disconnect(lane, 1000)
  end
  return nil, errors.new(reason == "auth_failed" and "AUTH_FAILED" or reason == "timeout" and "TIMEOUT" or "NOT_CONNECTED",
    ("user %d could not connect: %s"):format(id, tostring(reason)))
end

--- Ends the user's connection. Safe twice.
---@param id integer
function methods:disconnect(id)
  local lane = lane_of(self, id)
  if self.lanes[lane] then
    self.lanes[lane] = nil
    self.open = self.open - 1
  end
  self.core:disconnect(lane, 1000)
end

---@param id integer
function methods:is_connected(id) return self.lanes[lane_of(self, id)] == true end

local function show_token(self, lane)
  local token = self.token
  if type(token) == "function" then token = token() end
  if type(token) == "string" then return self.core:authenticate(lane, token) end
  local future = self.waiting[lane]
  self.waiting[lane] = nil
  self.core:disconnect(lane, 1000)
  if future then future:reject "no token was given" end
end

local function became_ready(self, lane)
  self.lanes[lane] = true
  self.open = self.open + 1
  local future = self.waiting[lane]
  self.waiting[lane] = nil
  if future then future:resolve(true) end
end

local function ended(self, lane, reason)
  local future = self.waiting[lane]
  self.waiting[lane] = nil
  if future then return future:reject(reason) end
  if not self.lanes[lane] then return end
  self.lanes[lane] = nil
  self.open, self.lost = self.open - 1, self.lost + 1
  self.on_lost(reason)
end

--- Part of the loop.
function methods:drain_events()
  while self.core do
    local event, lane, a = self.core:next_event()
    if not event then return end
    if event == "auth_required" then show_token(self, lane)
    elseif event == "ready" then became_ready(self, lane)
    elseif event == "lost" then ended(self, lane, a) end
  end
end

--- Ends all connections. Safe twice.
function methods:close()
  if not self.core then return end
  loop.remove_source(self)
  collectgarbage("setpause", self.collector_pause)
  self.core:close()
  self.core = nil
end

return M
