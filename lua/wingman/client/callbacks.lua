--- The functions of a script that a client calls: listeners, on_ack. An error in one is the
--- script's own: it is told to `log_to` and counted, and nothing else ends.
local protected = require "wingman.protected"

---@class wingman.client
---@field callback_errors integer|nil  so far
local methods = {}

--- Tells of an error in a function of the script: one line for each place that fails, at
--- most once a second, with how many were held back.
---@param what string  what called it: the name of an event, "on_ack"
---@param err any      with its traceback
function methods:callback_failed(what, err)
  self.callback_errors = (self.callback_errors or 0) + 1
  local text = tostring(err)
  local place = text:match "^[^\n]-:%d+:" or ""
  self.log_seldom("error", "callback_failed", { callback = what, error = text }, "callback " .. what .. place)
end

--- Calls a function of the script with at most two arguments.
---@param what string
---@param fn function
function methods:call_back(what, fn, a, b)
  local ok, err = protected.call(fn, a, b)
  if not ok then self:callback_failed(what, err) end
end

return methods
