--- The fields of a log line: as terminals may have them, and as text.
local escape = require "wingman.base.escape"

local M = {}

--- The fields without anything that a terminal would obey: they may be a server's words. A script's own error keeps its
--- lines.
---@param fields table<string, any>
---@return table<string, any>  new
function M.plain(fields)
  local plain = {}
  for name, value in pairs(fields) do
    if type(value) == "string" then value = name == "error" and escape.lines(value) or escape.plain(value)
    elseif type(value) == "table" then value = M.plain(value) end
    plain[name] = value
  end
  return plain
end

--- "count=2 failed_keys=a,b": sorted by name, lists joined.
---@param fields table<string, any>
---@return string
function M.format(fields)
  local parts = {}
  for name, value in pairs(fields) do
    parts[#parts + 1] = name .. "=" .. (type(value) == "table" and table.concat(value, ",") or tostring(value))
  end
  table.sort(parts)
  return table.concat(parts, " ")
end

return M
