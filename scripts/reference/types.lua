--- The types that doc comments name: `---@class` with its `---@field` lines.
local markdown = require "reference.markdown"
local sorted = require "wingman.base.sorted"

local M = {}

-- The type at the beginning of a text, and what follows it. A function's may be followed by one space only.
local function split_type(text)
  local arguments, rest = text:match "^(fun%b())(.*)$"
  if not arguments then return text:match "^(.-)  +(.*)$" end
  local result, about = rest:match "^(:%s%S+,%s%S+)%s*(.*)$"
  if not result then result, about = rest:match "^(:%s%S+)%s*(.*)$" end
  return arguments .. (result or ""), about or rest:match "^%s*(.*)$"
end

-- "name type  words" as a row; nil for a field that is nobody's business.
local function row_of(field)
  if field:match "^private " or field:match "^package " then return nil end
  local name, rest = field:match "^(%[?[%w_]+%]?%??)%s+(.*)$"
  if not name then return nil end
  local kind, about = split_type(rest)
  return { markdown.code(name), markdown.code(kind or rest), about or "" }
end

-- Adds the classes of a file: name -> rows.
local function read(path, classes)
  local rows
  for line in io.lines(path) do
    local class, field = line:match "^%-%-%-@class ([%w_.]+)", line:match "^%-%-%-@field (.*)$"
    local continued = line:match "^%-%-%-%s+(%S.*)$"
    if class then
      rows = {}
      classes[class] = rows
    elseif rows and field then
      rows[#rows + 1] = row_of(field)
    elseif rows and #rows > 0 and continued then
      rows[#rows][3] = rows[#rows][3] .. " " .. continued
    else
      rows = nil
    end
  end
end

--- The types that a text names, as a section. One that has no fields to show is left out.
---@param text string
---@return string
function M.section(text)
  local classes, parts = {}, {}
  -- The options have a page of their own.
  local found = assert(io.popen "find lua -name '*.lua' -not -name types.lua | sort")
  for path in found:lines() do read(path, classes) end
  found:close()
  for _, name in ipairs(sorted.keys(classes)) do
    local is_named = text:find("%f[%w_.]" .. name:gsub("%.", "%%.") .. "%f[^%w_.]")
    if is_named and #classes[name] > 0 then
      parts[#parts + 1] = ("### %s\n\n%s"):format(name, markdown.table({ "field", "type", "" }, classes[name]))
    end
  end
  return "## Types\n\n" .. table.concat(parts, "\n")
end

return M
