--- Circuit policies: when a connected node gets no operations for a while, because it fails.
---
--- A policy is `function(node) -> breaker`, called once for each node (`id`, `url`).
--- A breaker answers `state()`: "closed" (operations go there), "open" (none do),
--- "half_open" (one trial is due). The client reports to it what happened:
---
---   failure(kind, now)  "lost": a working connection ended. "connect": none could
---                       be made. "refused": the server answered batches with errors.
---                       "unanswered": a batch is unacknowledged for too long
---   success(now)        operations were acknowledged, or the trial was answered
---   connected(now)      a fresh connection was made and the node answered on it
---   due(now)            seconds until state() turns half_open by itself; nil: never
---
--- Times are monotonic seconds.
local check_options = require("wingman.options.check").check

local M = {}

---@class wingman.breaker
---@field private failures integer  consecutive
---@field private unconnected integer  those of them that a connection makes up for
---@field private opened number|nil
---@field private openings integer  consecutive, for the time that it stays open
---@field private closed_at number|nil
local breaker = {}
breaker.__index = breaker

local function stays_open(self) return math.min(self.reset, self.first * 2 ^ (self.openings - 1)) end

-- Opens, or begins its time anew. It doubles with each opening, until the node has done
-- well for as long as the longest of them.
local function open(self, now)
  if self.closed_at and now - self.closed_at >= self.reset then self.openings = 0 end
  if self:state(now) ~= "open" then self.openings = self.openings + 1 end
  self.opened, self.closed_at = now, nil
end

local function close(self, now)
  if self.opened then self.closed_at = now end
  self.opened = nil
end

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

function breaker:success(now)
  self.failures, self.unconnected = 0, 0
  close(self, now)
end

function breaker:connected(now)
  self.failures, self.unconnected = self.failures - self.unconnected, 0
  if self.failures < self.limit then close(self, now) end
end

function breaker:state(now)
  if not self.opened then return "closed" end
  return now - self.opened >= stays_open(self) and "half_open" or "open"
end

function breaker:due(now)
  return self.opened and math.max(0, stays_open(self) - (now - self.opened))
end

--- The settings of `consecutive`, and of the client's option `circuit`.
---@type table<string, wingman.option_rule>
M.options = {
  failures = { type = "number", default = 5, min = 1, max = math.huge, about = "failures in a row that open the circuit" },
  first = { type = "duration", default = 1, min = 1e-6, max = 86400, about = "how long it stays open the first time" },
  reset = { type = "duration", default = 30, min = 1e-6, max = 86400, about = "how long it stays open at most" },
}

--- Opens the circuit of a node after `failures` failures in a row. After `first` one trial decides whether
--- it closes; each time that it opens again it stays open for twice as long, up to `reset`. (The reference
--- client waits for 30 s after 5 failures. A node that failed five times within a second, and works again,
--- would have its partitions held for 29 s.)
---@param options wingman.circuit_options|nil
function M.consecutive(options)
  local checked = check_options(M.options, options == nil and {} or options, "circuit", 2)
  local limit, first, reset = checked.failures, checked.first, checked.reset
  return function()
    return setmetatable({ limit = limit, first = first, reset = reset, failures = 0, unconnected = 0, openings = 0 }, breaker)
  end
end

--- A breaker that never opens.
function M.never()
  return {
    failure = function() end, success = function() end, connected = function() end,
    state = function() return "closed" end, due = function() end,
  }
end

return M
