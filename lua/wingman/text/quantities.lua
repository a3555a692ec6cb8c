--- Numbers as people read them: three digits that mean something, and a unit.
local text_table = require "wingman.text.table"

local M = {}

--- A whole number with commas.
M.count = text_table.count

local function not_finite(n)
  if n ~= n then return "none" end
  if n == math.huge then return "infinite" end
  if n == -math.huge then return "-infinite" end
end

--- Three significant digits: 0.00123 -> "0.00123", 12.345 -> "12.3", 12345 -> "12,345".
---@param n number
---@return string
function M.number(n)
  local special = not_finite(n)
  if special then return special end
  if n == math.floor(n) or math.abs(n) >= 999.5 then return text_table.count(n) end
  local magnitude = math.floor(math.log10(math.abs(n)))
  return (("%." .. math.min(9, math.max(0, 2 - magnitude)) .. "f"):format(n):gsub("(%.%d-)0+$", "%1"):gsub("%.$", ""))
end

local steps = { { 1e-3, 1e6, "us" }, { 1, 1e3, "ms" }, { math.huge, 1, "s" } }

local function step_of(seconds)
  local i = 1
  while math.abs(seconds) >= steps[i][1] * 0.9995 do i = i + 1 end
  return steps[i]
end

--- A duration: 0.0000123 -> "12.3 us", 0.00421 -> "4.21 ms", 81 -> "81.0 s".
---@param seconds number
---@return string
function M.duration(seconds)
  local special = not_finite(seconds)
  if special then return special end
  if seconds == 0 then return "0 us" end
  local step = step_of(seconds)
  local value = seconds * step[2]
  local whole = math.abs(value)
  local decimals = step[3] == "us" and 0 or whole < 9.995 and 2 or whole < 99.95 and 1 or 0
  if step[3] == "us" and whole < 99.95 and value ~= math.floor(value + 1e-9) then decimals = 1 end
  return ("%." .. decimals .. "f %s"):format(value, step[3])
end

--- A share: 0.995 -> "99.5 %". Never 100 % for less, or 0 % for more than nothing.
---@param share number
---@return string
function M.share(share)
  local special = not_finite(share)
  if special then return special end
  if share > 0.9995 and share < 1 then return "> 99.9 %" end
  if share > 0 and share < 0.0005 then return "< 0.1 %" end
  if share == 0 or share == 1 then return share * 100 .. " %" end
  return ("%.1f %%"):format(share * 100)
end

local powers = { { 2 ^ 40, "TiB" }, { 2 ^ 30, "GiB" }, { 2 ^ 20, "MiB" }, { 2 ^ 10, "KiB" } }

--- Bytes: 50331648 -> "48.0 MiB".
---@param n number
---@return string
function M.bytes(n)
  local special = not_finite(n)
  if special then return special end
  for _, power in ipairs(powers) do
    if n >= power[1] then
      local value = n / power[1]
      return ("%." .. (value < 99.95 and 1 or 0) .. "f %s"):format(value, power[2])
    end
  end
  return M.number(n) .. " B"
end

--- A number in its unit: seconds as durations, bytes as such, others with the unit.
---@param n number
---@param unit string|nil
---@return string
function M.quantity(n, unit)
  if unit == "s" then return M.duration(n) end
  if unit == "bytes" then return M.bytes(n) end
  if unit == nil or unit == "" then return M.number(n) end
  return M.number(n) .. " " .. unit
end

--- "1 operation", "2 operations"; `many` where an s is not enough.
---@param n number
---@param one string
---@param many string|nil
---@return string
function M.plural(n, one, many) return text_table.count(n) .. " " .. (n == 1 and one or many or one .. "s") end

--- Unix seconds as ISO 8601 in UTC, to the second, without a zone.
---@param seconds number
---@return string
function M.timestamp(seconds) return os.date("!%Y-%m-%dT%H:%M:%S", math.floor(seconds)) --[[@as string]] end

return M
