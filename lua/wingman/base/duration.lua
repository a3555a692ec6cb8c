--- Durations, wherever a script or a command line gives one: "30s", "1m30s", "250ms", or a
--- number of seconds. This is the only reader of them.
local M = {}

local units = { us = 1e-6, ms = 1e-3, s = 1, m = 60, h = 3600 }

--- Seconds; nil when it is no duration.
---@param value any
---@return number|nil
function M.parse(value)
  if type(value) == "number" then return value >= 0 and value < math.huge and value or nil end
  if type(value) ~= "string" or value == "" then return nil end
  if value:match "^[%d.]+$" then return tonumber(value) end
  local sum, rest = 0, value
  while rest ~= "" do
    local number, unit, after = rest:match "^(%d+%.?%d*)(%a+)(.*)$"
    local size = unit and units[unit]
    if not size or not tonumber(number) then return nil end
    sum, rest = sum + tonumber(number) * size, after
  end
  return sum
end

--- What is wrong with a value that is no duration.
---@param value any
---@return string
function M.refusal(value)
  local kind = type(value)
  return ("a duration is expected (\"30s\", \"1m30s\", \"250ms\" or a number of seconds), got %s")
    :format(kind == "string" and ("'%s'"):format(value) or kind == "number" and tostring(value) or kind)
end

--- Seconds of what a script gave for `what`; raises when it is no duration.
---@param value any
---@param what string
---@param level integer|nil  whose mistake it is, as in `error`, seen from the caller; default: no place is named
---@return number
function M.check(value, what, level)
  local seconds = M.parse(value)
  if seconds then return seconds end
  error(("%s: %s"):format(what, M.refusal(value)), level and level + 1 or 0)
end

--- A timeout that a script gave, in seconds: nil and infinity are for ever, less than 0 is 0. Raises as
--- `check` does.
---@param value any
---@param what string
---@param level integer|nil
---@return number|nil
function M.limit(value, what, level)
  if value == nil or value == math.huge then return nil end
  if type(value) == "number" and value < 0 then return 0 end
  local seconds = M.check(value, what, level and level + 1) -- no tail call: it would take a level away
  return seconds
end

--- As people write it: "1m30s", "250ms".
---@param seconds number
---@return string
function M.text(seconds)
  if seconds < 1 then return ("%gms"):format(math.floor(seconds * 1e6 + 0.5) / 1e3) end
  if seconds < 60 then return ("%gs"):format(math.floor(seconds * 1000 + 0.5) / 1000) end
  local minutes = math.floor(seconds / 60)
  local rest = math.floor((seconds - minutes * 60) * 10 + 0.5) / 10
  return rest > 0 and ("%dm%gs"):format(minutes, rest) or ("%dm"):format(minutes)
end

return M
