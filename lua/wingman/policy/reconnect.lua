--- Reconnect policies: when to connect to a node again.
---
--- A policy is `function(node, attempt, reason) -> seconds | nil`: `node` has id
--- (nil until known), url and last_resort (a seed, while no node is connected),
--- `attempt` is 1 for the first try after the loss, `reason` is a key such as "lost",
--- "refused", "heartbeat". nil gives the node up; a last resort that is given up is not
--- tried again.
local check_options = require("wingman.options.check").check

local M = {}

--- The settings of `exponential`, and of the client's option `reconnect`.
---@type table<string, wingman.option_rule>
M.options = {
  first = { type = "duration", default = 1, min = 0, max = 86400, about = "delay before the first try" },
  factor = { type = "number", default = 2, min = 1, max = 100, about = "growth of the delay" },
  max = { type = "duration", default = 30, min = 0, max = 86400, about = "the longest delay" },
  attempts = { type = "number", min = 0, max = math.huge,
    about = "tries before a node is given up; default 10, without end for a seed while no node is connected" },
  jitter = { type = "number", default = 0.5, min = 0, max = 1, about = "share of the delay that is random" },
}

--- Exponential backoff: delays that double up to a limit, with jitter so that clients do not reconnect
--- all at once. The defaults are the reference client's: 1 s, doubled up to 30 s, 10 tries; without
--- `attempts` the seeds are tried for ever while no node is connected. A connection that the client
--- itself ended because of an unanswered batch is replaced at once.
---@param options wingman.exponential_options|nil
function M.exponential(options)
  local checked = check_options(M.options, options == nil and {} or options, "exponential", 2)
  local first, factor, max, jitter = checked.first, checked.factor, checked.max, checked.jitter
  return function(node, attempt, reason)
    if reason == "ack_timeout" and attempt == 1 then return 0 end
    local attempts = checked.attempts or (node.last_resort and math.huge or 10)
    if attempt > attempts then return nil end
    local delay = math.min(max, first * factor ^ (attempt - 1))
    return delay * (1 - jitter * math.random())
  end
end

--- Gives every node up when it is lost.
function M.never() return nil end

return M
