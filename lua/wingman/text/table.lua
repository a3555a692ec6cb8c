--- Tables of text for a terminal: columns as wide as their widest cell, numbers to
--- the right.
local escape = require "wingman.base.escape"

local M = {}

--- How many columns a UTF-8 text takes (one per code point).
local function width(text)
  local _, continuation = text:gsub("[\128-\191]", "")
  return #text - continuation
end

--- A whole number with commas: 7910 -> "7,910".
---@param n number
---@return string
function M.count(n)
  local text = ("%.0f"):format(n)
  local sign, digits = text:match "^(%-?)(%d+)$"
  if not digits then return text end
  digits = digits:reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", "")
  return sign .. digits
end

--- A duration in the unit that suits it: 0.00042 -> "420 us", 0.42 -> "420 ms".
---@param seconds number
---@return string
function M.duration(seconds)
  if seconds < 1e-3 then return ("%.0f us"):format(seconds * 1e6) end
  if seconds < 0.01 then return ("%.1f ms"):format(seconds * 1e3) end
  if seconds < 1 then return ("%.0f ms"):format(seconds * 1e3) end
  return ("%.2f s"):format(seconds)
end

--- A line, cut with an ellipsis where it goes beyond the width.
---@param line string  without colours
---@param most integer
---@return string
function M.clip(line, most)
  if width(line) <= most then return line end
  return line:sub(1, most - 1):gsub("[\192-\255][\128-\191]*$", "") .. "…"
end

-- 7,910 or 12.5 ms or 93 %: a number and at most its unit.
local function is_quantity(text) return text:match "^%-?%d[%d.,]*%s?%a*%%?$" ~= nil end

--- The rows as lines. Numbers are written with commas; a column whose first row
--- (below the heading) is a number, alone or with its unit, is put to the right,
--- with its heading.
---@param rows any[][]  the first one is the heading when `heading` is true
---@param options { heading: boolean|nil, indent: string|nil }|nil
---@return string  with a line end after each row
function M.format(rows, options)
  options = options or {}
  local cells, widths, right = {}, {}, {}
  for i, row in ipairs(rows) do
    cells[i] = {}
    for c, value in ipairs(row) do
      local text = type(value) == "number" and M.count(value) or escape.plain(tostring(value))
      cells[i][c] = text
      widths[c] = math.max(widths[c] or 0, width(text))
      if i == (options.heading and 2 or 1) then right[c] = is_quantity(text) end
    end
  end
  local lines = {}
  for i, row in ipairs(cells) do
    local parts = {}
    for c, text in ipairs(row) do
      local padding = (" "):rep(widths[c] - width(text))
      parts[c] = right[c] and padding .. text or text .. padding
    end
    lines[i] = ((options.indent or "") .. table.concat(parts, "  ")):gsub("%s+$", "") .. "\n"
  end
  return table.concat(lines)
end

return M
