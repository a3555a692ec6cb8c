--- Values as one can read them and paste them back: Lua syntax, aligned, cut with a
--- count where they are long.
local core = require "wingman.core"
local colours = require "wingman.text.colours"
local describe = require "wingman.text.describe"
local escape = require "wingman.base.escape"

local rep, concat = string.rep, table.concat

local M = {}

--- Entries of one table, levels, bytes of one string that are shown.
local MAX_ENTRIES, MAX_DEPTH, MAX_STRING = 100, 8, 2000
--- Keys are aligned up to this width.
local MAX_KEY = 28

local keywords = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return
  then true until while]]):gmatch "%a+" do keywords[word] = true end

---@class wingman.printer
---@field paint fun(kind: string, text: string): string
---@field width fun(): integer
local methods = {}
methods.__index = methods

local function count(n)
  local text = ("%.0f"):format(n)
  return (text:reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", ""))
end

local function number(n)
  if n ~= n then return "0/0" end
  if n == math.huge then return "math.huge" end
  if n == -math.huge then return "-math.huge" end
  if n % 1 == 0 and math.abs(n) < 2 ^ 53 then
    return n == 0 and 1 / n < 0 and "-0" or ("%.0f"):format(n)
  end
  local text = ("%.14g"):format(n)
  return tonumber(text) == n and text or ("%.17g"):format(n)
end

local function text_literal(self, value)
  if #value <= MAX_STRING then return self.paint("string", escape.quote(value)) end
  return self.paint("string", escape.quote(value:sub(1, MAX_STRING)))
    .. self.paint("comment", " --[[ " .. count(#value - MAX_STRING) .. " bytes more ]]")
end

-- Everything that is no table to be walked; nil for such a one.
local function scalar(self, value)
  local kind = type(value)
  if kind == "string" then return text_literal(self, value) end
  if kind == "number" then return self.paint("number", number(value)) end
  if kind == "boolean" or kind == "nil" then return self.paint("boolean", tostring(value)) end
  if value == core.null then return self.paint("nil", "wingman.null") end
  if kind == "cdata" and tostring(value):match "^%-?%d+U?LL$" then return self.paint("number", tostring(value)) end
  if kind == "table" then
    local mark = getmetatable(value)
    if mark == core.bin_mark then return "wingman.bin " .. text_literal(self, value.bytes) end
    if mark == core.array_mark and next(value) == nil then return "wingman.array {}" end
    local words = describe.object(value)
    return words and self.paint("opaque", words)
  end
  return self.paint("opaque", describe.opaque(value))
end

local function key_text(key)
  if type(key) == "string" then
    if key:match "^[%a_][%w_]*$" and not keywords[key] then return key end
    return "[" .. escape.quote(key) .. "]"
  end
  if type(key) == "number" then return "[" .. number(key) .. "]" end
  return "[" .. (type(key) == "boolean" and tostring(key) or describe.opaque(key)) .. "]"
end

local ranks = { number = 1, string = 2, boolean = 3 }

-- So that player-9 comes before player-10.
local function with_numbers_padded(text)
  return (text:gsub("%d+", function(digits) return rep("0", 12 - #digits) .. digits end))
end

local function before(a, b)
  local kind_a, kind_b = type(a), type(b)
  if kind_a ~= kind_b then return (ranks[kind_a] or 9) < (ranks[kind_b] or 9) end
  if kind_a == "number" then return a < b end
  local text_a, text_b = with_numbers_padded(tostring(a)), with_numbers_padded(tostring(b))
  if text_a ~= text_b then return text_a < text_b end
  return tostring(a) < tostring(b)
end

-- The entries in the order in which they are shown: key (nil in the list part), value.
local function entries_of(value)
  local entries, n = {}, 0
  for i, item in ipairs(value) do
    n = i
    entries[i] = { value = item }
  end
  local keys = {}
  for key in next, value do
    if not (type(key) == "number" and key >= 1 and key <= n and key % 1 == 0) then keys[#keys + 1] = key end
  end
  table.sort(keys, before)
  for _, key in ipairs(keys) do entries[#entries + 1] = { key = key, text = key_text(key), value = rawget(value, key) } end
  return entries
end

local render

-- On one line within `room` columns, or nil.
local function inline(self, value, room, path, depth)
  local known = scalar(self, value)
  if known then return escape.width(known) <= room and known or nil end
  if path[value] then return self.paint("comment", "nil --[[ the table of " .. path[value] .. " ]]") end
  if depth >= MAX_DEPTH then return self.paint("comment", next(value) == nil and "{}" or "{ --[[ deeper ]] }") end
  if next(value) == nil then return "{}" end
  local entries = entries_of(value)
  if #entries * 3 > room then return nil end
  path[value] = path.name
  local parts, used, name = {}, 4, path.name
  for i, entry in ipairs(entries) do
    path.name = name .. (entry.text and "." .. entry.text or "[" .. i .. "]")
    local text = inline(self, entry.value, room - used, path, depth + 1)
    if not text then parts = nil break end
    parts[i] = entry.text and entry.text .. " = " .. text or text
    used = used + escape.width(parts[i]) + 2
    if used - 2 > room then parts = nil break end
  end
  path[value], path.name = nil, name
  return parts and "{ " .. concat(parts, ", ") .. " }"
end

-- The cells of an entry that is a flat record: nil when it is none.
local function cells_of(self, value)
  if type(value) ~= "table" or scalar(self, value) or #value > 0 then return nil end
  local cells = entries_of(value)
  for _, cell in ipairs(cells) do
    if type(cell.key) ~= "string" then return nil end
    cell.shown = scalar(self, cell.value)
    if not cell.shown then return nil end
  end
  return cells
end

-- Whether two records have the same fields.
local function same_fields(a, b)
  if #a ~= #b then return false end
  for i = 1, #a do
    if a[i].key ~= b[i].key then return false end
  end
  return true
end

-- Records with the same fields, as columns; nil when they are none or too wide.
local function columns(self, entries, room)
  local rows, widths = {}, {}
  if #entries < 2 then return nil end
  for i, entry in ipairs(entries) do
    rows[i] = cells_of(self, entry.value)
    if not rows[i] or #rows[i] == 0 or not same_fields(rows[1], rows[i]) then return nil end
    for c, cell in ipairs(rows[i]) do widths[c] = math.max(widths[c] or 0, escape.width(cell.shown)) end
  end
  local lines, total = {}, 4
  for c, cell in ipairs(rows[1]) do total = total + #cell.text + 3 + widths[c] + 2 end
  if total > room then return nil end
  for i, row in ipairs(rows) do
    local parts = {}
    for c, cell in ipairs(row) do
      local padding = rep(" ", widths[c] - escape.width(cell.shown))
      local right = type(cell.value) == "number"
      local comma = c < #row and "," or ""
      parts[c] = cell.text .. " = " .. (right and padding .. cell.shown .. comma or cell.shown .. comma .. padding)
    end
    lines[i] = "{ " .. concat(parts, " "):gsub("%s+$", "") .. " }"
  end
  return lines
end

local function block(self, value, indent, path, depth)
  local entries = entries_of(value)
  local all, inner = #entries, indent .. "  "
  for i = all, MAX_ENTRIES + 1, -1 do entries[i] = nil end
  local key_width = 0
  for _, entry in ipairs(entries) do
    local width = entry.text and escape.width(entry.text) or 0
    if width <= MAX_KEY then key_width = math.max(key_width, width) end
  end
  local room = self.width() - #inner - (key_width > 0 and key_width + 3 or 0) - 1
  local rows = columns(self, entries, room)
  path[value] = path.name
  local lines, name = { "{" }, path.name
  for i, entry in ipairs(entries) do
    local head = ""
    if entry.text then
      head = entry.text .. rep(" ", key_width - escape.width(entry.text)) .. " = "
    end
    path.name = name .. (entry.text and "." .. entry.text or "[" .. i .. "]")
    local text = rows and rows[i] or render(self, entry.value, inner, math.min(room, self.width() - #inner - escape.width(head) - 1), path, depth + 1)
    lines[#lines + 1] = inner .. head .. text .. ","
  end
  path[value], path.name = nil, name
  if all > #entries then lines[#lines + 1] = inner .. self.paint("comment", "-- " .. count(all - #entries) .. " more") end
  lines[#lines + 1] = indent .. "}"
  return concat(lines, "\n")
end

function render(self, value, indent, room, path, depth)
  return inline(self, value, room, path, depth) or scalar(self, value) or block(self, value, indent, path, depth)
end

--- A value as text, without a line end.
---@param value any
---@return string
function methods:format(value)
  local width = self.width()
  return render(self, value, "", width, { name = "_" }, 0)
end

---@param options { colour: boolean|nil, width: fun(): integer|nil }
---@return wingman.printer
function M.new(options)
  return setmetatable({
    paint = colours.painter(options.colour or false),
    width = options.width or function() return 80 end,
  }, methods)
end

return M
