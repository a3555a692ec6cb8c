--- Tables of a page. Cells are text, escaped here, or drawings.
local format = require "wingman.text.quantities"
local svg = require "wingman.report.plot.svg"
local theme = require "wingman.report.plot.theme"
local utf8_text = require "wingman.text.utf8"

local M = {}

local escape = utf8_text.escape

local function cell(tag, value)
  if type(value) ~= "table" then value = { text = value } end
  local class = (value.right and "r" or "") .. (value.class and " " .. value.class or "")
  local inside = value.svg and value.svg:inline() or escape(value.text)
  return ("<%s%s>%s</%s>"):format(tag, class ~= "" and (' class="%s"'):format(class:gsub("^ ", "")) or "", inside, tag)
end

--- A table. A cell is text or { text=, right=, class=, svg= }.
---@param head any[]
---@param rows any[][]
---@return string
function M.format(head, rows)
  local parts = { '<div class="scroll"><table><thead><tr>' }
  for _, value in ipairs(head) do parts[#parts + 1] = cell("th", value) end
  parts[#parts + 1] = "</tr></thead><tbody>"
  for _, row in ipairs(rows) do
    parts[#parts + 1] = "<tr>"
    for _, value in ipairs(row) do parts[#parts + 1] = cell("td", value) end
    parts[#parts + 1] = "</tr>\n"
  end
  parts[#parts + 1] = "</tbody></table></div>\n"
  return table.concat(parts)
end

--- A number's cell.
function M.right(text, class) return { text = text, right = true, class = class } end

--- A bar of a share of 1; a line marks where equal shares would end.
---@param share number
---@param equal number
---@param index integer  of the node
function M.share_bar(share, equal, index)
  local drawing = svg.new(170, 14, format.share(share))
  drawing:rect(0, 2, 170, 10, "track")
  drawing:rect(0, 2, 170 * math.min(1, share), 10, theme.node_class(index))
  drawing:line(170 * equal, 0, 170 * equal, 14, "tick")
  return { svg = drawing }
end

--- A value beside its limit, which stands at two thirds of the bar.
---@param value number
---@param limit number
---@param passed boolean
function M.limit_bar(value, limit, passed)
  local drawing = svg.new(170, 14, "value beside its limit")
  local at = 170 * 2 / 3
  drawing:rect(0, 2, 170, 10, "track")
  drawing:rect(0, 2, limit > 0 and math.min(170, at * value / limit) or 0, 10, passed and "bar good" or "bar bad")
  drawing:line(at, 0, at, 14, "tick")
  return { svg = drawing }
end

return M
