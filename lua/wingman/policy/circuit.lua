--- Circuit policies: when a node that is connected is left alone for a while.
---
--- A policy is `function(node) -> breaker`, called once for each node (`id`, `url`).
--- A breaker answers `state()`: "closed" (operations go there), "open" (none do),
--- "half_open" (one probe is due). It is told what happened:
---
---   failure(kind, now)  "lost": a working connection broke off. "connect": none came
---                       about. "refused": the server answered batches with errors.
---                       "unanswered": a batch has waited too long for its answer
---   success(now)        operations were acknowledged, or the probe was answered
---   connected(now)      a fresh connection was made and the node answered on it
---   due(now)            seconds until state() turns half_open by itself; nil: never
---
--- Times are monotonic seconds.
local M = {}

---@class wingman.circuit_options
---@field failures integer|nil  in a row that open the circuit, default 5
---@field reset number|nil      seconds that it stays open, default 30

---@class wingman.breaker
---@field private failures integer  in a row
---@field private unconnected integer  those of them that a connection makes up for
---@field private opened number|nil
local breaker = {}
breaker.__index = breaker

local function open(self, now) self.opened = now end

--- A failure that a working connection disproves counts only until there is one.
local disproved_by_connecting = { connect = true, unanswered = true }

function breaker:failure(kind, now)
  if kind == "unanswered" then
    -- One such batch is proof enough; it must not take five of them.
    self.unconnected = self.unconnected + math.max(1, self.limit - self.failures)
    self.failures = math.max(self.failures + 1, self.limit)
  else
    self.failures = self.failures + 1
    if disproved_by_connecting[kind] then self.unconnected = self.unconnected + 1 end
  end
  if self.failures >= self.limit then open(self, now) end
end

function breaker:success()
  self.failures, self.unconnected, self.opened = 0, 0, nil
end

function breaker:connected()
  self.failures, self.unconnected = self.failures - self.unconnected, 0
  if self.failures < self.limit then self.opened = nil end
end

function breaker:state(now)
  if not self.opened then return "closed" end
  return now - self.opened >= self.reset and "half_open" or "open"
end

function breaker:due(now)
  return self.opened and math.max(0, self.reset - (now - self.opened))
end

--- Opens after so many failures in a row, for so long; then one probe decides. The
--- defaults are the reference client's: 5 failures, 30 s.
---@param options wingman.circuit_options|nil
function M.consecutive(options)
  options = options or {}
  local limit, reset = options.failures or 5, options.reset or 30
  return function()
    return setmetatable({ limit = limit, reset = reset, failures = 0, unconnected = 0 }, breaker)
  end
end

--- Never opens.
function M.never()
  return {
    failure = function() end, success = function() end, connected = function() end,
    state = function() return "closed" end, due = function() end,
  }
end

return M
