--- The links to the nodes of a provider: connecting, showing the token, trying
--- again. Both providers are built on it; what a connection is good for is theirs
--- to decide.
local authentication = require "wingman.cluster.authentication"
local escape = require "wingman.base.escape"
local loop = require "wingman.loop"
local resolver = require "wingman.cluster.resolver"
local script_traceback = require "wingman.base.script_traceback"
local url_module = require "wingman.base.url"

local M = {}

--- Reasons after which a node is left alone for longer and longer, even though
--- connections come about in between: it has too much to do; it cannot read what is
--- sent to it, which a repetition will not change.
local backs_off = { overloaded = true, bad_frame = true }
--- Tries in a row that say that a node is not there any more.
local AWAY_AFTER = 3
--- Connections that are being opened at a time to nodes that the user has not named, and how
--- many of these may be to nodes that have never answered.
local DIALS, DIALS_TO_UNPROVEN = 8, 6
--- Nodes that the user has not named.
local MAX_NODES = 1024
--- A connection that lasted so long is a fresh start all the same (seconds).
local CALM = 60

---@class wingman.link_node
---@field slot integer     the core's number of this node
---@field url string     as people may see it: without the values of its query
---@field whole_url string  to connect with, for policies and resolvers alone
---@field id string|nil    server-assigned, known once a connection has told it
---@field lanes integer[]  the core's numbers of its connections
---@field is_seed boolean  the user gave its URL
---@field listed_as string|nil  the id under which a partition map gave its URL
---@field settled boolean  a first connection has worked or failed
---@field last_reason string|nil  why the last connection ended
---@field last_detail string|nil
---@field losses table<string, integer>  how often its connections ended, or did not come about, by reason
---@field refused_token string|nil

---@class wingman.link_lane
---@field lane integer
---@field node wingman.link_node
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

---@class wingman.links
---@field nodes wingman.link_node[]
---@field by_slot table<integer, wingman.link_node>
---@field by_url table<string, wingman.link_node>  by whole_url
---@field lanes table<integer, wingman.link_lane>
local methods = {}
methods.__index = methods

---@class wingman.links_hooks
---@field ready fun(lane: wingman.link_lane)
---@field lost fun(lane: wingman.link_lane, reason: string, code: integer, detail: string, was_ready: boolean)
---@field changed fun()  a lane's state changed
---@field auth_failed fun(link: wingman.link_lane, message: string)
---@field log fun(level: string, event: string, fields: table)

--- Adds a node by URL; nil, err when it is none, or one too many.
---@param url string
---@param is_seed boolean  the user gave it
---@return wingman.link_node|nil, string|nil
function methods:add(url, is_seed)
  if not is_seed and #self.nodes >= MAX_NODES then return nil, ("a client has at most %d nodes"):format(MAX_NODES) end
  local slot, err = self.core:add_node(url)
  if not slot then return nil, ("'%s': %s"):format(escape.plain(url_module.shown(url)), err) end
  local node = { slot = slot, url = url_module.shown(url), whole_url = url, lanes = {}, is_seed = is_seed, settled = false, losses = {} }
  self.nodes[#self.nodes + 1], self.by_slot[slot], self.by_url[url] = node, node, node
  for i = 0, self.connections - 1 do
    local lane = self.core:connection_of(slot, i)
    node.lanes[i + 1] = lane
    self.lanes[lane] = { lane = lane, node = node, state = "idle", attempt = 0, attempt_before = 0 }
  end
  return node
end

local function set_state(self, link, state)
  if link.state == state then return end
  link.state = state
  self.hooks.changed()
end

-- Nothing that was to follow follows.
local function rest(link)
  if link.timer then link.timer:cancel() end
  link.timer, link.work, link.is_waiting = nil, nil, nil
end

local function open(self, link, addresses)
  local called, ok, err = pcall(self.core.connect, self.core, link.lane, addresses)
  if called and ok then return end
  self:handle("lost", link.lane, called and "refused" or "dns", 0, false, called and err or ok)
end

-- With a resolver of the script's, which may wait.
local function resolve_and_open(self, link, host)
  local work = {}
  link.work = work
  loop.spawn(function()
    local addresses, reason = resolver.ask(self.resolver, host, self.resolver_timeout)
    if link.work ~= work then return end -- no longer wanted
    link.work = nil
    if addresses then return open(self, link, addresses) end
    self:handle("lost", link.lane, "dns", 0, false, reason)
  end)
end

local function dial(self, link)
  local host = self.resolver and resolver.name_in(link.node.whole_url)
  if host then resolve_and_open(self, link, host) else open(self, link) end
end

local function is_proven(link) return link.node.id ~= nil end

local function may_dial(self, link)
  return self.dialing < DIALS and (is_proven(link) or self.dialing_unproven < DIALS_TO_UNPROVEN)
end

local function begin_dial(self, link)
  link.is_dialing, link.is_waiting, link.was_proven = true, nil, is_proven(link)
  self.dialing = self.dialing + 1
  if not link.was_proven then self.dialing_unproven = self.dialing_unproven + 1 end
  dial(self, link)
end

-- The next connections that wait to be opened: first those to nodes that have answered before.
local function dial_next(self)
  for _, proven in ipairs { true, false } do
    local i, list = 1, self.waiting
    while list[i] do
      local link = list[i]
      if not link.is_waiting then table.remove(list, i)
      elseif is_proven(link) == proven then
        if not may_dial(self, link) then break end
        table.remove(list, i)
        begin_dial(self, link)
      else i = i + 1 end
    end
  end
end

-- A connection is open, or will not be.
local function end_dial(self, link)
  if not link.is_dialing then return end
  link.is_dialing = nil
  self.dialing = self.dialing - 1
  if not link.was_proven then self.dialing_unproven = self.dialing_unproven - 1 end
  if not self.closed and self.waiting[1] then loop.soon(dial_next, self) end
end

local function connect_lane(self, link)
  rest(link)
  set_state(self, link, "connecting")
  if link.node.is_seed then return dial(self, link) end
  if may_dial(self, link) then return begin_dial(self, link) end
  link.is_waiting = true
  self.waiting[#self.waiting + 1] = link
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
    local may_hurry = not backs_off[node.last_reason] -- it is there, and wants to be left alone
    if link.state == "given_up" or (link.state == "backoff" and may_hurry) then connect_lane(self, link) end
  end
end

--- Whether tries to connect to a node failed several times in a row, or are given up.
---@param node wingman.link_node
---@return boolean
function methods:is_away(node)
  local link = self.lanes[node.lanes[1]]
  return link.state == "given_up" or (link.state ~= "ready" and link.attempt >= AWAY_AFTER)
end

--- Closes a node's connections and does not try again.
---@param node wingman.link_node
---@param state string|nil  what the lanes are then; default "idle"
function methods:disconnect(node, state)
  for _, lane in ipairs(node.lanes) do
    local link = self.lanes[lane]
    rest(link)
    self.core:disconnect(lane, 1000)
    end_dial(self, link)
    set_state(self, link, state or "idle")
  end
end

local restful = { idle = true, backoff = true, given_up = true, refused = true }

local function is_at_rest(self, node)
  for _, lane in ipairs(node.lanes) do
    local link = self.lanes[lane]
    if not (restful[link.state] or link.is_waiting) then return false end
  end
  return true
end

--- Forgets a node that the user has not named, that is not connected, and that no partition
--- map names any more; false when something of that is not so.
---@param node wingman.link_node
---@return boolean
function methods:forget(node)
  if node.is_seed or not is_at_rest(self, node) or not self.core:forget_node(node.slot) then return false end
  for _, lane in ipairs(node.lanes) do
    rest(self.lanes[lane])
    self.lanes[lane] = nil
  end
  self.by_slot[node.slot], self.by_url[node.whole_url] = nil, nil
  for i = #self.nodes, 1, -1 do
    if self.nodes[i] == node then table.remove(self.nodes, i) end
  end
  return true
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
  local node = { id = link.node.id, url = link.node.whole_url, last_resort = link.node.is_seed and not any_is_ready(self) }
  local ok, delay = xpcall(function() return self.reconnect(node, link.attempt, reason) end, script_traceback.of)
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

-- Books the end of a connection, or of an attempt at one.
local function note_loss(self, link, reason, detail)
  local node = link.node
  node.settled = true
  node.last_reason, node.last_detail = reason, detail
  node.losses[reason] = (node.losses[reason] or 0) + 1
  self.losses[reason] = (self.losses[reason] or 0) + 1
  local lasted = link.ready_at and loop.now() - link.ready_at or 0
  if backs_off[reason] and lasted < CALM then link.attempt = math.max(link.attempt, link.attempt_before) end
  link.ready_at, link.work = nil, nil
  link.state = "idle"
end

-- What follows the end of a connection.
local function lost(self, link, reason, code, detail, was_ready)
  local is_auth = reason == "auth_failed"
  detail = detail and escape.plain(detail) -- a server's words
  if is_auth then detail = self.authentication.tokens:scrubbed(detail) end
  note_loss(self, link, reason, detail)
  if not self.closed then
    if is_auth then self.authentication:refused(link) else schedule(self, link, reason) end
    if was_ready then fall_back_to_seeds(self) end
  end
  self.hooks.lost(link, reason, code, detail, was_ready)
  if is_auth then self.hooks.auth_failed(link, detail) end
end

--- Takes one event of the core; true when it was one of connections.
function methods:handle(event, lane, a, b, flag, text)
  local link = self.lanes[lane]
  if event == "auth_required" or event == "ready" or event == "lost" then end_dial(self, link) end
  if event == "auth_required" then
    self.authentication:show(link)
  elseif event == "ready" then
    link.attempt_before, link.attempt, link.ready_at = link.attempt, 0, loop.now()
    link.node.settled = true
    link.node.last_reason, link.node.last_detail = nil, nil
    set_state(self, link, "ready")
    self.hooks.ready(link)
  elseif event == "lost" then
    lost(self, link, a, b, text, flag)
  else
    return false
  end
  return true
end

--- A new token; connections that were refused try again at once.
---@param token string|function
function methods:set_token(token) self.authentication:set(token) end

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
  self.authentication:close()
  for _, link in pairs(self.lanes) do
    rest(link)
    link.state = "idle"
  end
end

--- One line on how it stands with each node: connected, or why not.
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

local function make_authentication(self, token, timeout)
  return authentication.new(token, timeout, {
    authenticate = function(link, shown) self.core:authenticate(link.lane, shown) end,
    open = function(link) connect_lane(self, link) end,
    set_state = function(link, state) set_state(self, link, state) end,
    delay = function(link) return next_delay(self, link, "auth_failed") end,
    no_token = function(link, why)
      self.core:disconnect(link.lane, 1000)
      lost(self, link, "auth_failed", 0, why, false)
    end,
    refused_links = function()
      local found = {}
      for _, link in pairs(self.lanes) do
        local waits = link.state == "backoff" and link.node.last_reason == "auth_failed"
        if link.state == "refused" or waits then found[#found + 1] = link end
      end
      return found
    end,
    log = self.hooks.log,
  })
end

---@param core userdata  wingman.core.client
---@param options table  checked options of the client
---@param reconnect function  the reconnect policy
---@param hooks wingman.links_hooks
---@return wingman.links
function M.new(core, options, reconnect, hooks)
  local self = setmetatable({
    core = core,
    reconnect = reconnect,
    hooks = hooks,
    resolver = options.resolver,
    resolver_timeout = options.connect_timeout,
    connections = options.connections_per_node,
    nodes = {},
    by_slot = {},
    by_url = {},
    lanes = {},
    waiting = {},
    dialing = 0,
    dialing_unproven = 0,
    losses = {},
    closed = false,
  }, methods)
  self.authentication = make_authentication(self, options.auth and options.auth.token, options.auth_timeout)
  return self
end

return M
