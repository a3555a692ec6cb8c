--- Durations in scripts: "30s", "1m30s", "250ms", or a number of seconds.
local M = {}

local units = { us = 1e-6, ms = 1e-3, s = 1, m = 60, h = 3600 }

--- Seconds; nil when it is no duration.
---@param value string|number
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

--- Seconds of what a script gave for `what`; raises when it is no duration.
---@param value any
---@param what string
---@return number
function M.check(value, what)
  local seconds = M.parse(value)
  if seconds then return seconds end
  error(("%s: a duration is expected (\"30s\", \"1m30s\", \"250ms\" or a number of seconds), got %s")
    :format(what, type(value) == "string" and ("'%s'"):format(value) or type(value)), 0)
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
