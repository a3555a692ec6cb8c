--- Help from doc comments: the `---` lines above a function in its file.
local escape = require "wingman.escape"

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

--- The doc comment of a function; nil when its file cannot be read or has none there.
---@param fn function
---@return wingman.repl.doc|nil
function M.of(fn)
  local info = debug.getinfo(fn, "S")
  local path = info.source:match "^@(.*)$"
  local lines = path and lines_of(path)
  if not lines or not lines[info.linedefined] then return nil end
  local doc = { head = lines[info.linedefined]:gsub("^%s*", ""):gsub("^local ", ""):gsub("%s*%-%-.*$", ""), text = {}, tags = {} }
  local first = info.linedefined
  while first > 1 and lines[first - 1]:match "^%s*%-%-%-" do first = first - 1 end
  for i = first, info.linedefined - 1 do
    local line = lines[i]:gsub("^%s*%-%-%-%s?", "")
    local list = line:match "^@" and doc.tags or doc.text
    list[#list + 1] = line
  end
  if #doc.text + #doc.tags == 0 then return nil end
  return doc
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
  if not doc then return "no doc comment: " .. require("wingman.repl.describe").opaque(fn) .. "\n" end
  local lines = { paint("heading", (doc.head:gsub("^function ", ""):gsub("%s+return .*$", ""))) }
  for _, line in ipairs(doc.text) do lines[#lines + 1] = line end
  for _, tag in ipairs(doc.tags) do lines[#lines + 1] = paint("comment", tag_line(tag)) end
  return table.concat(lines, "\n") .. "\n"
end

-- Every documented function of a table and its class.
local function collect(value, found)
  for _ = 1, 10 do
    if type(value) ~= "table" then return end
    for name, item in next, value do
      if type(name) == "string" and type(item) == "function" and not found[name] then found[name] = M.of(item) end
    end
    local meta = debug.getmetatable(value)
    value = type(meta) == "table" and rawget(meta, "__index") or nil
  end
end

local function of_table(value, paint)
  local found, names, widest = {}, {}, 0
  collect(value, found)
  for name, doc in pairs(found) do
    names[#names + 1] = name
    widest = math.max(widest, #signature(name, doc))
  end
  if #names == 0 then return "it has no documented functions\n" end
  table.sort(names)
  local lines = {}
  widest = math.min(widest, 34)
  for i, name in ipairs(names) do
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
