--- When the partition map is asked for. Every node connection schedules a request,
--- whatever version is held; connections within the debounce window become one
--- request, to the node that connected last; a stream of connections cannot push
--- it out for ever. Without a map the first request goes out at once, as it does at
--- the first sign that the held one is old; how soon the next may follow is a policy.
--- A server that has nothing newer stays silent, and that is a good answer.
local loop = require "wingman.loop"
local protected = require "wingman.base.protected"
local refresh_policies = require "wingman.policy.refresh"

local M = {}

--- Seconds between requests while routes are missing, where connections are not waited for.
local SHORTEST_THROTTLE = 0.02

---@class wingman.map_requests
---@field sent integer  requests so far
local methods = {}
methods.__index = methods

---@class wingman.map_requests_host
---@field send fun(node_index: integer): boolean    sends one request; false when the node cannot take it
---@field ready_indexes fun(): integer[]        nodes that can be asked, most recently connected last
---@field has_map fun(): boolean
---@field route_is_missing fun(): boolean     operations wait for a route
---@field silent fun(node_index: integer)           no answer came in time
---@field log fun(level: string, event: string, fields: table)

---@param options table  the options map_requests
---@param host wingman.map_requests_host
---@return wingman.map_requests
function M.new(options, host)
  local self = setmetatable({ options = options, host = host, sent = 0, misses = 0 }, methods)
  self.throttle = options.throttle
    or refresh_policies.backoff { first = math.max(options.debounce, SHORTEST_THROTTLE), max = options.refresh }
  self:rearm()
  return self
end

local function cancel(self, name)
  if self[name] then self[name]:cancel() end
  self[name] = nil
end

--- A request to this node now.
function methods:ask(node_index)
  if not self.host.send(node_index) then return false end
  self.sent = self.sent + 1
  cancel(self, "answer_timer")
  self.answer_timer = loop.timer(self.options.answer_timeout, function()
    self.answer_timer = nil
    self.host.silent(node_index)
  end)
  return true
end

--- A request to the most recently connected node that can be asked.
function methods:ask_any()
  local indexes = self.host.ready_indexes()
  for i = #indexes, 1, -1 do
    if self:ask(indexes[i]) then return true end
  end
  return false
end

--- A node connected.
---@param node_index integer
function methods:node_connected(node_index)
  if self.first_index == node_index then self.first_index = nil end -- another connection than the one that was asked
  if not self.host.has_map() and not self.debounce_timer then
    self:ask(node_index)
    -- What connects within the window is covered by one more request at its end.
    self.first_index = node_index
  end
  local now = loop.now()
  self.window_began = self.window_began or now
  local due = math.min(now + self.options.debounce, self.window_began + self.options.max_wait)
  cancel(self, "debounce_timer")
  self.debounce_timer = loop.timer(math.max(0, due - now), function()
    self.debounce_timer, self.window_began = nil, nil
    local indexes = self.host.ready_indexes()
    local latest = indexes[#indexes]
    -- The request that went out at once has asked this very connection already.
    local asked = self.first_index == latest
    self.first_index = nil
    if latest and not (asked and self.host.has_map()) then self:ask_any() end
  end)
end

local ask_for_route

-- When the next request may go out; it does while routes are missing.
local function wait_for_route(self, delay)
  cancel(self, "throttle_timer")
  self.throttle_timer = loop.timer(delay, function()
    self.throttle_timer = nil
    if self.debounce_timer then self.news = false end -- its request is on the way
    if self.news or self.host.route_is_missing() then
      ask_for_route(self)
    else
      self.misses = 0
    end
  end)
end

-- The policy's word on how long to wait after so many requests.
local function throttled(self, requests)
  local ok, delay = protected.call(self.throttle, requests)
  if ok and type(delay) == "number" and delay == delay then return delay end
  self.host.log("error", "refresh_policy", { error = ok and "no number of seconds was returned" or delay })
  return self.options.refresh
end

function ask_for_route(self)
  self.misses, self.news, self.miss_asked = self.misses + 1, false, loop.now()
  self:ask_any()
  wait_for_route(self, throttled(self, self.misses))
end

--- A route is missing though nodes are connected: asks at once, and again as the
--- policy allows, until no route is missing.
function methods:route_missed()
  if not self.throttle_timer then ask_for_route(self) end
end

--- Something happened that may have made the map old (a node is lost, a server says
--- so): asks at once, whatever was asked before; for all that happens within the
--- debounce window once more at its end.
function methods:map_is_old()
  self.misses = 0
  local since = loop.now() - (self.miss_asked or -math.huge)
  if since >= self.options.debounce then return ask_for_route(self) end
  self.news = true
  wait_for_route(self, self.options.debounce - since)
end

--- An answer came, and the routes follow it: the refresh starts anew. With another map
--- than before, so does the throttle: a map that leaves routes missing is from before
--- the change that is waited for.
---@param is_new boolean
function methods:answered(is_new)
  cancel(self, "answer_timer")
  if is_new and not self.news then
    cancel(self, "throttle_timer")
    self.misses = 0
    if self.host.route_is_missing() then wait_for_route(self, throttled(self, 1)) end
  end
  self:rearm()
end

--- (Re)starts the periodic refresh.
function methods:rearm()
  cancel(self, "refresh_timer")
  self.refresh_timer = loop.timer(self.options.refresh, function()
    self.refresh_timer = nil
    self:ask_any()
    self:rearm()
  end)
end

--- Cancels every timer.
function methods:close()
  cancel(self, "debounce_timer")
  cancel(self, "answer_timer")
  cancel(self, "refresh_timer")
  cancel(self, "throttle_timer")
end

return M
