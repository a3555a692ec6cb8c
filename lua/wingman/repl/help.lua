--- Help from doc comments: the `---` lines above a function in its file.
local escape = require "wingman.base.escape"
local sorted = require "wingman.base.sorted"

local M = {}

local files = {} -- path -> lines, read once

local function lines_of(path)
  if files[path] then return files[path] end
  local file = io.open(path, "r")
  if not file then return nil end
  local lines = {}
  for line in file:lines() do lines[#lines + 1] = line end
  file:close()
  files[path] = lines
  return lines
end

---@class wingman.repl.doc
---@field head string  the line that defines it
---@field text string[]  what it does
---@field tags string[]  parameters and results: "@param name type  words"

-- The comment above a line; nil when there is none.
local function above(lines, number)
  local doc = { head = lines[number]:gsub("^%s*", ""):gsub("^local ", ""):gsub("%s*%-%-.*$", ""), text = {}, tags = {} }
  local first = number
  while first > 1 and lines[first - 1]:match "^%s*%-%-%-" do first = first - 1 end
  for i = first, number - 1 do
    local line = lines[i]:gsub("^%s*%-%-%-%s?", "")
    if line:match "^@" then doc.tags[#doc.tags + 1] = line
    elseif #doc.tags > 0 then doc.tags[#doc.tags] = doc.tags[#doc.tags] .. " " .. line:gsub("^%s+", "")
    else doc.text[#doc.text + 1] = line end
  end
  if #doc.text + #doc.tags == 0 then return nil end
  return doc
end

-- "(id)" of the tag "@type fun(self: wingman.sim.cluster, id: string): true|nil".
local function arguments_of(tags)
  for _, tag in ipairs(tags) do
    local names = {}
    for name in (tag:match "^@type%s+fun(%b())" or ""):gmatch "[(,]%s*([%w_]+)%s*:" do
      if name ~= "self" then names[#names + 1] = name end
    end
    if tag:match "^@type%s+fun%(" then return "(" .. table.concat(names, ", ") .. ")" end
  end
  return "()"
end

-- Of `methods.kill = order "kill"`: the function is made elsewhere, its comment is here.
local function at_assignment(lines, name)
  for number, line in ipairs(lines) do
    local variable = line:match("^([%w_]+)%." .. name .. "%s*=")
    local doc = variable and above(lines, number)
    if doc then
      doc.head = ("function %s%s%s%s"):format(variable, variable == "methods" and ":" or ".", name, arguments_of(doc.tags))
      return doc
    end
  end
end

--- The doc comment of a function; nil when its file cannot be read or has none there.
---@param fn function
---@param name string|nil  what it is called in its table, for one that the table's file assigns
---@return wingman.repl.doc|nil
function M.of(fn, name)
  local info = debug.getinfo(fn, "S")
  local path = info.source:match "^@(.*)$"
  local lines = path and lines_of(path)
  if not lines or not lines[info.linedefined] then return nil end
  return above(lines, info.linedefined) or name and at_assignment(lines, name)
end

--- Whether a function is for other files of Wingman, not for scripts: its comment says so first.
---@param doc wingman.repl.doc
---@return boolean
function M.is_internal(doc)
  local first = doc.text[1] or ""
  return first:match "^Part of " ~= nil or first:match "^Internal: " ~= nil
end

-- What fits on a line of the list.
local function first_sentence(doc)
  local text = table.concat(doc.text, " ")
  local sentence = text:match "^(.-%.)%s" or text
  return #sentence > 90 and sentence:sub(1, 89):gsub("%s%S*$", "") .. " …" or sentence
end

local function tag_line(tag)
  local name, rest = tag:match "^@param%s+(%S+)%s*(.*)$"
  if name then return "  " .. name .. "  " .. rest end
  return "  " .. tag:gsub("^@return%s+", "returns  "):gsub("^@", "")
end

local function signature(name, doc)
  local arguments = doc.head:match "(%b())" or "()"
  local separator = doc.head:match "[%w_]+:[%w_]+%s*%(" and ":" or ""
  return separator .. name .. arguments
end

local function of_function(fn, paint)
  local doc = M.of(fn)
  if not doc then return "no doc comment: " .. require("wingman.text.describe").opaque(fn) .. "\n" end
  local lines = { paint("heading", (doc.head:gsub("^function ", ""):gsub("%s+return .*$", ""))) }
  for _, line in ipairs(doc.text) do lines[#lines + 1] = line end
  for _, tag in ipairs(doc.tags) do lines[#lines + 1] = paint("comment", tag_line(tag)) end
  return table.concat(lines, "\n") .. "\n"
end

-- Every documented function of a table and its class that is for scripts.
local function collect(value, found)
  for _ = 1, 10 do
    if type(value) ~= "table" then return end
    for name, item in next, value do
      local doc = type(name) == "string" and type(item) == "function" and not found[name] and M.of(item, name)
      if doc and not M.is_internal(doc) then found[name] = doc end
    end
    local meta = debug.getmetatable(value)
    value = type(meta) == "table" and rawget(meta, "__index") or nil
  end
end

local function of_table(value, paint)
  local found, lines, widest = {}, {}, 0
  collect(value, found)
  for name, doc in pairs(found) do widest = math.max(widest, #signature(name, doc)) end
  if not next(found) then return "it has no documented functions\n" end
  widest = math.min(widest, 34)
  for i, name in ipairs(sorted.keys(found)) do
    local head = signature(name, found[name])
    lines[i] = paint("heading", head) .. (" "):rep(widest - #head) .. "  " .. first_sentence(found[name])
  end
  return table.concat(lines, "\n") .. "\n"
end

--- Help about a function, or about the functions of an object or a module, as text.
---@param value any
---@param paint fun(kind: string, text: string): string
---@return string
function M.about(value, paint)
  if type(value) == "function" then return of_function(value, paint) end
  if type(value) == "table" then return of_table(value, paint) end
  return "there is help about functions and objects, not about " .. escape.plain(type(value)) .. "\n"
end

return M
