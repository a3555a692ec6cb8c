--- The functions of a script that a client calls: listeners, on_ack, policies, the token
--- function. An error in one is the script's own: it is logged and counted, and ends nothing else.
local emitter = require "wingman.base.emitter"
local log_throttle = require "wingman.loop.log_throttle"
local policies = require "wingman.policy.list"
local protected = require "wingman.base.protected"

---@class wingman.client
---@field callback_errors integer|nil  so far
local methods = {}

--- What is logged when a function of a script other than a listener or on_ack has failed.
local FAILURES = { token_function = true }
for _, kind in ipairs(policies.names) do FAILURES[kind .. "_policy"] = true end

local function count(self) self.callback_errors = (self.callback_errors or 0) + 1 end

-- What makes two errors one kind: where they were raised, or else their first line.
local function place_of(text) return text:match "^[^\n]-:%d+:" or text:match "^[^\n]*" end

--- Internal: the client's log. It counts errors in functions of the script, and passes on one line a
--- second for each place that fails.
---@param log_to fun(level: string, event: string, fields: table)
---@return fun(level: string, event: string, fields: table)
function methods:counting_log(log_to)
  local seldom = log_throttle.new(log_to)
  return function(level, event, fields)
    if not FAILURES[event] then return log_to(level, event, fields) end
    count(self)
    seldom(level, event, fields, event .. place_of(tostring(fields.error)))
  end
end

--- Internal: logs an error in a listener or on_ack: one line for each place that fails, at most
--- once a second, with the number of suppressed lines.
---@param what string  what called it: the name of an event, "on_ack"
---@param err any      with its traceback
function methods:callback_failed(what, err)
  count(self)
  local text = tostring(err)
  self.log_seldom("error", "callback_failed", { callback = what, error = text }, "callback " .. what .. place_of(text))
end

--- Internal: the events of an object of this client. An error of a listener is logged and counted.
---@param names table<string, any>  the events that there are
---@param of string                 what the events are of, for the log: "map 'players'"
---@return wingman.emitter
function methods:emitter(names, of)
  return emitter.new { names = names, failed = function(event, err) self:callback_failed(event .. " of " .. of, err) end }
end

--- Internal: calls a function of the script with at most two arguments.
---@param what string
---@param fn function
function methods:call_back(what, fn, a, b)
  local ok, err = protected.call(fn, a, b)
  if not ok then self:callback_failed(what, err) end
end

return methods
