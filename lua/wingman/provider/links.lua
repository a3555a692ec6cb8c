--- The links to the nodes of a provider: connecting, showing the token, trying
--- again. Both providers are built on it; what a connection is good for is theirs
--- to decide.
local loop = require "wingman.loop"
local resolver = require "wingman.resolver"

local M = {}

---@class wingman.link_node
---@field slot integer     the core's number of this node
---@field url string
---@field id string|nil    server-assigned, known once a connection has told it
---@field lanes integer[]  the core's numbers of its connections
---@field is_seed boolean  the user gave its URL
---@field settled boolean  a first connection has worked or failed
---@field last_reason string|nil  why the last connection ended
---@field last_detail string|nil

---@class wingman.link_lane
---@field lane integer
---@field node wingman.link_node
---@field state string  "idle" connecting authenticating ready backoff refused given_up
---@field attempt integer
---@field timer wingman.timer|nil

---@class wingman.links
---@field nodes wingman.link_node[]  by slot + 1
---@field lanes table<integer, wingman.link_lane>
local methods = {}
methods.__index = methods

---@class wingman.links_hooks
---@field ready fun(lane: wingman.link_lane)
---@field lost fun(lane: wingman.link_lane, reason: string, code: integer, detail: string, was_ready: boolean)
---@field changed fun()  a lane's state changed
---@field log fun(level: string, event: string, fields: table)

---@param core userdata  wingman.core.client
---@param options table  checked options of the client
---@param reconnect function  the reconnect policy
---@param hooks wingman.links_hooks
---@return wingman.links
function M.new(core, options, reconnect, hooks)
  return setmetatable({
    core = core,
    reconnect = reconnect,
    hooks = hooks,
    token = options.auth and options.auth.token,
    resolver = options.resolver,
    resolver_timeout = options.connect_timeout,
    connections = options.connections_per_node,
    nodes = {},
    lanes = {},
    closed = false,
  }, methods)
end

--- Adds a node by URL; nil, err when it is none.
---@param url string
---@param is_seed boolean  the user gave it
---@return wingman.link_node|nil, string|nil
function methods:add(url, is_seed)
  local slot, err = self.core:add_node(url)
  if not slot then return nil, err end
  local node = { slot = slot, url = url, lanes = {}, is_seed = is_seed, settled = false }
  self.nodes[slot + 1] = node
  for i = 0, self.connections - 1 do
    local lane = self.core:lane_of(slot, i)
    node.lanes[i + 1] = lane
    self.lanes[lane] = { lane = lane, node = node, state = "idle", attempt = 0 }
  end
  return node
end

local function set_state(self, link, state)
  if link.state == state then return end
  link.state = state
  self.hooks.changed()
end

local function open(self, link, addresses)
  local called, ok, err = pcall(self.core.connect, self.core, link.lane, addresses)
  if called and ok then return end
  self:handle("lost", link.lane, called and "refused" or "dns", 0, false, called and err or ok)
end

-- With a resolver of the script's, which may wait.
local function resolve_and_open(self, link, host)
  local attempt = {}
  link.resolving = attempt
  loop.spawn(function()
    local addresses, reason = resolver.ask(self.resolver, host, self.resolver_timeout)
    if self.closed or link.resolving ~= attempt then return end -- no longer wanted
    link.resolving = nil
    if addresses then return open(self, link, addresses) end
    self:handle("lost", link.lane, "dns", 0, false, reason)
  end)
end

local function connect_lane(self, link)
  if link.timer then link.timer:cancel() end
  link.timer = nil
  set_state(self, link, "connecting")
  local host = self.resolver and resolver.name_in(link.node.url)
  if host then resolve_and_open(self, link, host) else open(self, link) end
end

--- Starts connecting every idle lane of a node.
---@param node wingman.link_node
function methods:connect(node)
  for _, lane in ipairs(node.lanes) do
    local link = self.lanes[lane]
    if link.state == "idle" or link.state == "backoff" then connect_lane(self, link) end
  end
end

--- The node is said to be there: connections that wait for their next try, or
--- were given up, try now.
---@param node wingman.link_node
function methods:hurry(node)
  for _, lane in ipairs(node.lanes) do
    local link = self.lanes[lane]
    if link.state == "backoff" or link.state == "given_up" then connect_lane(self, link) end
  end
end

--- Closes a node's connections and does not try again.
---@param node wingman.link_node
---@param state string|nil  what the lanes are then; default "idle"
function methods:disconnect(node, state)
  for _, lane in ipairs(node.lanes) do
    local link = self.lanes[lane]
    if link.timer then link.timer:cancel() end
    link.timer, link.resolving = nil, nil
    self.core:disconnect(lane, 1000)
    set_state(self, link, state or "idle")
  end
end

local function is_auth_failure(reason, code)
  return reason == "auth_failed" or code == 4001
end

local function any_is_ready(self)
  for _, link in pairs(self.lanes) do
    if link.state == "ready" then return true end
  end
  return false
end

-- Asks the policy; nil when it gives up. An error in it counts as giving up and
-- is reported with its traceback.
local function next_delay(self, link, reason)
  local node = { id = link.node.id, url = link.node.url, last_resort = link.node.is_seed and not any_is_ready(self) }
  local ok, delay = xpcall(function() return self.reconnect(node, link.attempt, reason) end, debug.traceback)
  if ok and (delay == nil or type(delay) == "number") then return delay end
  self.hooks.log("error", "reconnect_policy", {
    url = link.node.url,
    error = ok and ("a number of seconds or nil is expected, got " .. type(delay)) or delay,
  })
  return nil
end

local function schedule(self, link, reason)
  link.attempt = link.attempt + 1
  local delay = next_delay(self, link, reason)
  if not delay then
    set_state(self, link, "given_up")
    self.hooks.log("warn", "node_given_up", { url = link.node.url, reason = reason, attempts = link.attempt - 1 })
    return
  end
  set_state(self, link, "backoff")
  link.timer = loop.timer(delay, function()
    link.timer = nil
    if not self.closed then connect_lane(self, link) end
  end)
end

-- The last node is lost: the seeds that were given up while others were there are
-- what is left.
local function fall_back_to_seeds(self)
  if any_is_ready(self) then return end
  for _, link in pairs(self.lanes) do
    if link.node.is_seed and link.state == "given_up" then
      link.attempt = 0
      schedule(self, link, "cluster_lost")
    end
  end
end

local function token_failed(self, link, message)
  self.core:disconnect(link.lane, 1000)
  link.node.settled = true
  link.node.last_reason, link.node.last_detail = "auth_failed", message
  set_state(self, link, "refused")
  self.hooks.lost(link, "auth_failed", 0, message, false)
end

-- The token function may wait, so it runs in a task of its own.
local function show_token(self, link)
  set_state(self, link, "authenticating")
  local token = self.token
  if token == nil then
    return token_failed(self, link, "the server asks for a token and none was given: set auth = { token = ... }")
  end
  if type(token) == "string" then
    self.core:authenticate(link.lane, token)
    return
  end
  loop.spawn(function()
    local ok, value = xpcall(token, debug.traceback)
    if self.closed or link.state ~= "authenticating" then return end
    if not ok or type(value) ~= "string" then
      return token_failed(self, link, "auth.token: " .. (ok and "the function returned no string" or tostring(value)))
    end
    self.core:authenticate(link.lane, value)
  end)
end

--- Takes one event of the core; true when it was one of connections.
function methods:handle(event, lane, a, b, flag, text)
  if event == "auth_required" then
    show_token(self, self.lanes[lane])
  elseif event == "ready" then
    local link = self.lanes[lane]
    link.attempt = 0
    link.node.settled = true
    link.node.last_reason, link.node.last_detail = nil, nil
    set_state(self, link, "ready")
    self.hooks.ready(link)
  elseif event == "lost" then
    local link = self.lanes[lane]
    link.node.settled = true
    link.node.last_reason, link.node.last_detail = a, text
    link.state = "idle"
    if not self.closed then
      -- A token that was refused is not shown again; a function may have a new one.
      if is_auth_failure(a, b) and type(self.token) ~= "function" then
        set_state(self, link, "refused")
      else
        schedule(self, link, a)
      end
      if flag then fall_back_to_seeds(self) end
    end
    self.hooks.lost(link, a, b, text, flag)
  else
    return false
  end
  return true
end

--- A new token; connections that were refused try again at once.
---@param token string|function
function methods:set_token(token)
  self.token = token
  for _, link in pairs(self.lanes) do
    if link.state == "refused" then
      link.attempt = 0
      connect_lane(self, link)
    end
  end
end

--- How many lanes are in each state.
---@return table<string, integer>
function methods:count_states()
  local counts = {}
  for _, link in pairs(self.lanes) do counts[link.state] = (counts[link.state] or 0) + 1 end
  return counts
end

--- Cancels every timer. The sockets close with the core client.
function methods:close()
  self.closed = true
  for _, link in pairs(self.lanes) do
    if link.timer then link.timer:cancel() end
    link.timer, link.resolving = nil, nil
    link.state = "idle"
  end
end

--- One line on why no node is connected.
function methods:reasons()
  local lines = {}
  for _, node in ipairs(self.nodes) do
    local reason = node.last_reason or "no answer yet"
    if node.last_detail and node.last_detail ~= "" then reason = reason .. " (" .. node.last_detail .. ")" end
    lines[#lines + 1] = node.url .. ": " .. reason
  end
  return table.concat(lines, "; ")
end

return M
