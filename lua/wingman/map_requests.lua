--- When the partition map is asked for. Every node connection schedules a request,
--- whatever version is held; connections within the debounce window become one
--- request, to the node that connected last; a stream of connections cannot push
--- it out for ever. Without a map the first request goes out at once. A server
--- that has nothing newer stays silent, and that is a good answer.
local loop = require "wingman.loop"

local M = {}

---@class wingman.map_requests
---@field sent integer  requests so far
local methods = {}
methods.__index = methods

---@class wingman.map_requests_host
---@field send fun(slot: integer): boolean    sends one request; false when the node cannot take it
---@field ready_slots fun(): integer[]        nodes that can be asked, most recently connected last
---@field has_map fun(): boolean
---@field silent fun(slot: integer)           no answer came in time

---@param options table  the options map_requests
---@param host wingman.map_requests_host
---@return wingman.map_requests
function M.new(options, host)
  local self = setmetatable({ options = options, host = host, sent = 0 }, methods)
  self:rearm()
  return self
end

local function cancel(self, name)
  if self[name] then self[name]:cancel() end
  self[name] = nil
end

--- A request to this node now.
function methods:ask(slot)
  if not self.host.send(slot) then return false end
  self.sent = self.sent + 1
  cancel(self, "answer_timer")
  self.answer_timer = loop.timer(self.options.answer_timeout, function()
    self.answer_timer = nil
    self.host.silent(slot)
  end)
  return true
end

--- A request to the most recently connected node that can be asked.
function methods:ask_any()
  local slots = self.host.ready_slots()
  for i = #slots, 1, -1 do
    if self:ask(slots[i]) then return true end
  end
  return false
end

--- A node connected.
---@param slot integer
function methods:node_connected(slot)
  if self.first_slot == slot then self.first_slot = nil end -- another connection than the one that was asked
  if not self.host.has_map() and not self.debounce_timer then
    self:ask(slot)
    -- What connects within the window is covered by one more request at its end.
    self.first_slot = slot
  end
  local now = loop.now()
  self.window_began = self.window_began or now
  local due = math.min(now + self.options.debounce, self.window_began + self.options.max_wait)
  cancel(self, "debounce_timer")
  self.debounce_timer = loop.timer(math.max(0, due - now), function()
    self.debounce_timer, self.window_began = nil, nil
    local slots = self.host.ready_slots()
    local latest = slots[#slots]
    -- The request that went out at once has asked this very connection already.
    local asked = self.first_slot == latest
    self.first_slot = nil
    if latest and not (asked and self.host.has_map()) then self:ask_any() end
  end)
end

--- A route is missing though nodes are connected: asks at once, repeats no more
--- often than the debounce window.
function methods:route_missed()
  local now = loop.now()
  if self.miss_asked and now - self.miss_asked < self.options.debounce then return end
  self.miss_asked = now
  self:ask_any()
end

--- News came: the refresh starts anew.
function methods:answered()
  cancel(self, "answer_timer")
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
end

return M
