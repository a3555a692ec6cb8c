--- The rows of a query: a list of { key =, value = }, which shows itself as a table.
local printer = require "wingman.text.printer"
local text_table = require "wingman.text.table"
local escape = require "wingman.base.escape"

local M = {}

--- Rows that are shown, and fields of their values that get a column.
local MOST_SHOWN, MOST_COLUMNS = 50, 8
--- Bytes of a key or a text that are laid out: the time for a line grows with the square of its length.
local MOST_BYTES = 256

local function is_record(value) return type(value) == "table" and getmetatable(value) == nil and type(next(value)) == "string" end

-- The fields that get a column each, sorted; nil when the values are no records, or have too many.
local function columns_of(rows, first, last)
  local seen, fields = {}, {}
  for i = first, last do
    if not is_record(rows[i].value) then return nil end
    for field in pairs(rows[i].value) do
      if not seen[field] then fields[#fields + 1] = tostring(field) end
      seen[field] = true
    end
    if #fields > MOST_COLUMNS then return nil end
  end
  table.sort(fields)
  return fields
end

local function cut(text)
  if #text <= MOST_BYTES then return escape.plain(text) end
  return escape.plain((text:sub(1, MOST_BYTES):gsub("[\192-\255][\128-\191]*$", ""))) .. "…"
end

local function cells_of(row, columns, show)
  local cells = { cut(row.key) }
  if not columns then
    cells[2] = show:format(row.value)
    return cells
  end
  for _, field in ipairs(columns) do
    local value = row.value[field]
    cells[#cells + 1] = value == nil and "" or type(value) == "string" and cut(value) or show:format(value)
  end
  return cells
end

local function page(rows, paint, width, first, most)
  local show, last = printer.new { width = function() return 100000 end }, math.min(#rows, first + most - 1)
  local columns = columns_of(rows, first, last)
  local heading = { "key" }
  for _, field in ipairs(columns or { "value" }) do heading[#heading + 1] = cut(field) end
  local cells = { heading }
  for i = first, last do cells[#cells + 1] = cells_of(rows[i], columns, show) end
  local lines = {}
  for line in text_table.format(cells, { heading = true }):gmatch "[^\n]+" do
    line = text_table.clip(line, width)
    lines[#lines + 1] = (#lines == 0 and paint("heading", line) or line) .. "\n"
  end
  return table.concat(lines)
end

local function render(rows, paint, width)
  if #rows == 0 then return paint("comment", "no rows") .. "\n" end
  local text = page(rows, paint, width, 1, MOST_SHOWN)
  if #rows <= MOST_SHOWN then return text end
  return text .. paint("comment", ("%s more"):format(text_table.count(#rows - MOST_SHOWN))) .. "\n"
end

local function plain(_, text) return text end

local meta = { render = render, page = page, __tostring = function(rows) return (render(rows, plain, 80):gsub("\n$", "")) end }

--- Marks a list of rows: `tostring` and the prompt show it as a table.
---@param rows wingman.rows
---@return wingman.rows
function M.of(rows) return setmetatable(rows, meta) end

--- Rows by key, for those who do not need their order: { key = value }. Where a key is in
--- several rows, the last one counts.
---@param rows wingman.rows
---@return table<string, any>
function M.by_key(rows)
  if type(rows) ~= "table" then error("wingman.by_key: rows of a query are expected, got " .. type(rows), 2) end
  local values = {}
  for i, row in ipairs(rows) do
    if type(row) ~= "table" or type(row.key) ~= "string" then error(("wingman.by_key: a row { key, value } is expected at %d"):format(i), 2) end
    values[row.key] = row.value
  end
  return values
end

return M
