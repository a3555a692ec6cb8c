--- The circuit breakers of a cluster's nodes: reports to the policy's breakers what happens, sends a
--- request to a node that leaves a batch unanswered, and one as the trial of a half-open circuit.
local loop = require "wingman.loop"
local protected = require "wingman.base.protected"

local M = {}

--- How often unanswered batches are looked for (seconds), at most.
local LOOK_EVERY = 0.25
--- How long an answer may take (seconds), at most.
local ASK_TIMEOUT = 2

---@class wingman.circuits
local methods = {}
methods.__index = methods

---@class wingman.circuits_host
---@field nodes fun(): wingman.node[]
---@field core userdata  wingman.core.client
---@field ask fun(node: wingman.node, timeout: number): any, any  asks the node something; waits
---@field changed fun(node: wingman.node, state: string, reason: string)
---@field log fun(level: string, event: string, fields: table)

local function breaker_of(self, node)
  local held = self.held[node]
  if held then return held end
  held = { breaker = self.policy { id = node.id, url = node.whole_url }, state = "closed", acked = 0, opened = 0 }
  self.held[node] = held
  return held
end

-- A policy's mistake must not stop the network: the circuit stays as it was.
local function call(self, node, name, ...)
  local held = breaker_of(self, node)
  local ok, result = protected.call(held.breaker[name], held.breaker, ...)
  if ok then return result end
  self.host.log("error", "circuit_policy", { node = node.id, url = node.url, error = result })
end

local update

-- One question at a time; what it means is decided by the state that it was asked in.
local function ask(self, node, reason)
  local held = breaker_of(self, node)
  if held.is_asking or not node.usable then return end
  held.is_asking = true
  loop.spawn(function()
    local suspected = held.state == "closed"
    local answered = self.host.ask(node, math.min(ASK_TIMEOUT, self.unanswered))
    held.is_asking = nil
    if self.closed or not node.usable then return end -- a lost connection is reported by itself
    if not answered then
      self:failure(node, "unanswered", reason)
    elseif not suspected then
      call(self, node, "success", loop.now())
      update(self, node, "the trial succeeded")
    end
  end)
end

-- The one place where a circuit's state changes.
function update(self, node, reason)
  if self.closed then return end
  local held = breaker_of(self, node)
  local now = loop.now()
  local state = call(self, node, "state", now) or held.state
  if held.timer then held.timer:cancel() end
  held.timer = nil
  if state ~= held.state then
    held.state = state
    if state == "open" then held.opened = held.opened + 1 end
    self.host.changed(node, state, reason)
  end
  if state == "open" then
    local due = call(self, node, "due", now)
    if due then held.timer = loop.timer(due, function() update(self, node, "a trial is due") end) end
  elseif state == "half_open" then
    ask(self, node, "the trial failed")
  end
end

-- Acknowledgements since the last look are a success.
local function note_acks(self, node)
  local held = breaker_of(self, node)
  local acked = self.host.core:node_stats(node.index).ops_acked
  if acked == held.acked then return end
  held.acked, held.acked_at = acked, loop.now()
  call(self, node, "success", loop.now())
  update(self, node, "operations were acknowledged")
end

local function look(self)
  for _, node in ipairs(self.host.nodes()) do
    if node.usable then
      note_acks(self, node)
      local unanswered = 0
      for _, connection_id in ipairs(node.connection_ids) do
        unanswered = math.max(unanswered, self.host.core:connection_info(connection_id).unanswered)
      end
      -- A node that acknowledges others is alive; one that does not is asked.
      local held = breaker_of(self, node)
      local silent = loop.now() - (held.acked_at or 0) >= self.unanswered
      if unanswered >= self.unanswered and silent and held.state == "closed" then
        ask(self, node, ("a batch is unanswered for %.1f s, and the node did not answer a request either"):format(unanswered))
      end
    end
  end
end

--- Something went wrong with a node; `kind` as in wingman.policy.circuit.
---@param node wingman.node
---@param kind string
---@param reason string  for people
function methods:failure(node, kind, reason)
  note_acks(self, node)
  call(self, node, "failure", kind, loop.now())
  update(self, node, reason)
end

--- A fresh connection was made, and the node has answered on it.
---@param node wingman.node
function methods:connected(node)
  call(self, node, "connected", loop.now())
  update(self, node, "connected again")
end

--- Whether operations may go there.
---@param node wingman.node
function methods:is_closed(node) return breaker_of(self, node).state == "closed" end

--- "closed", "open" or "half_open", and how often it was opened.
---@param node wingman.node
---@return string state, integer opened
function methods:state_of(node)
  local held = breaker_of(self, node)
  return held.state, held.opened
end

--- The node is no more.
---@param node wingman.node
function methods:forget(node)
  local held = self.held[node]
  if held and held.timer then held.timer:cancel() end
  self.held[node] = nil
end

--- Cancels every timer.
function methods:close()
  self.closed = true
  if self.look_timer then self.look_timer:cancel() end
  for _, held in pairs(self.held) do
    if held.timer then held.timer:cancel() end
  end
end

---@param policy fun(node: table): table
---@param unanswered number  seconds after which a batch counts as unanswered
---@param host wingman.circuits_host
---@return wingman.circuits
function M.new(policy, unanswered, host)
  local self = setmetatable({ policy = policy, unanswered = unanswered, host = host, held = {} }, methods)
  local every = math.min(LOOK_EVERY, unanswered / 4)
  local function tick()
    look(self)
    if not self.closed then self.look_timer = loop.timer(every, tick) end
  end
  self.look_timer = loop.timer(every, tick)
  return self
end

return M
