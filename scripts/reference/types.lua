--- The types that doc comments name: `---@class` with its `---@field` lines.
local markdown = require "reference.markdown"
local sorted = require "wingman.base.sorted"

local M = {}

-- The type at the beginning of a text, and what follows it. A function's may be followed by one space only.
local function split_type(text)
  local arguments, rest = text:match "^(fun%b())(.*)$"
  if not arguments then return text:match "^(.-)  +(.*)$" end
  local result, about = rest:match "^(|%S+)%s*(.*)$"
  if not result then result, about = rest:match "^(:%s%S+,%s%S+)%s*(.*)$" end
  if not result then result, about = rest:match "^(:%s%S+)%s*(.*)$" end
  return arguments .. (result or ""), about or rest:match "^%s*(.*)$"
end

-- One space behind a type makes its words part of it.
local function check_type(field, kind)
  if kind:find "^[%w_.|%[%]\"]+%s" then error("two spaces belong between the type and its words: @field " .. field, 0) end
end

-- "name type  words" as a row; nil for a field that is nobody's business.
local function row_of(field)
  if field:match "^private " or field:match "^package " then return nil end
  local name, rest = field:match "^(%[?[%w_]+%]?%??)%s+(.*)$"
  if not name then return nil end
  local kind, about = split_type(rest)
  check_type(field, kind or rest)
  return { markdown.code(name), markdown.code(kind or rest), about or "" }
end

-- What a class inherits, or what an alias stands for: a class, or a list of one.
local function inherit(rows, parent, about)
  local element = parent:match "^(wingman%.[%w_.]+)%[%]$"
  if element then rows[1] = { "`[integer]`", markdown.code(element), about }
  else rows.parent = parent end
  return rows
end

-- Adds the classes of a file, and the aliases of lists: name -> rows, with the name of the class that it inherits
-- fields from as `parent`.
local function read(path, classes)
  local rows
  for line in io.lines(path) do
    local class, parent = line:match "^%-%-%-@class ([%w_.]+):?%s*([%w_.%[%]]*)"
    local alias, list, words = line:match "^%-%-%-@alias (wingman%.[%w_.]+) (wingman%.[%w_.]+%[%])%s*(.*)$"
    local field = line:match "^%-%-%-@field (.*)$"
    local continued = line:match "^%-%-%-%s+(%S.*)$"
    if class then
      rows = inherit({}, parent, "each of them")
      classes[class] = rows
    elseif alias then
      rows = nil
      classes[alias] = inherit({}, list, words)
    elseif rows and field then
      rows[#rows + 1] = row_of(field)
    elseif rows and #rows > 0 and continued then
      rows[#rows][3] = rows[#rows][3] .. " " .. continued
    else
      rows = nil
    end
  end
end

-- The rows of a class: those that it inherits, and its own.
local function all_rows(classes, name)
  local rows = {}
  local own = classes[name] or {}
  if own.parent and own.parent ~= "" then rows = all_rows(classes, own.parent) end
  for _, row in ipairs(own) do rows[#rows + 1] = row end
  return rows
end

-- The names of the classes that a text has, and of those that their fields have.
local function named_in(text, classes)
  local names, left = {}, { text }
  while left[1] do
    local part = table.remove(left)
    for name in part:gmatch "wingman%.[%w_.]*[%w_]" do
      if classes[name] and not names[name] then
        names[name] = true
        for _, row in ipairs(all_rows(classes, name)) do left[#left + 1] = row[2] end
      end
    end
  end
  return sorted.keys(names)
end

-- Calls fn(name, rows) for each class that a text or one of these classes names, and that has fields to show.
local function each_named(text, fn)
  local classes = {}
  -- The options have a page of their own.
  local found = assert(io.popen "find lua -name '*.lua' -not -name types.lua | sort")
  for path in found:lines() do read(path, classes) end
  found:close()
  for _, name in ipairs(named_in(text, classes)) do
    local rows = all_rows(classes, name)
    if #rows > 0 then fn(name, rows) end
  end
end

--- The types that a text names, and those of their fields, as a section. One that has no fields to show is left out.
---@param text string
---@return string
function M.section(text)
  local parts = {}
  each_named(text, function(name, rows)
    parts[#parts + 1] = ("### %s\n\n%s"):format(name, markdown.table({ "field", "type", "" }, rows))
  end)
  return "## Types\n\n" .. table.concat(parts, "\n")
end

--- The fields of these types that say nothing of themselves.
---@param text string
---@return string[]
function M.silent(text)
  local silent = {}
  each_named(text, function(name, rows)
    for _, row in ipairs(rows) do
      if row[3] == "" then silent[#silent + 1] = name .. "." .. row[1]:gsub("`", "") end
    end
  end)
  return silent
end

return M
