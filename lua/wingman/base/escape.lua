--- Text from elsewhere at a terminal or in a log: what a server sent must not move the
--- cursor, change colours, turn the text around or begin a line. Every such text goes
--- through `plain`, where it enters (an error's message, the reason of an end) or, being a
--- name that has to stay as it is, where it is shown (log lines, tables).
local M = {}

local names = { ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ["\\"] = "\\\\", ['"'] = '\\"' }

local function decimal(bytes)
  return (bytes:gsub(".", function(c) return ("\\%03d"):format(c:byte()) end))
end

-- The length of the UTF-8 sequence at `i` and its code point; nil when it is none.
local function sequence(text, i)
  local first = text:byte(i)
  local length = first >= 0xf0 and first < 0xf5 and 4 or first >= 0xe0 and first < 0xf0 and 3
    or first >= 0xc2 and first < 0xe0 and 2
  if not length then return nil end
  local code = first % 2 ^ (7 - length)
  for k = i + 1, i + length - 1 do
    local byte = text:byte(k)
    if not byte or byte < 0x80 or byte > 0xbf then return nil end
    code = code * 64 + byte % 64
  end
  local smallest = ({ nil, 0x80, 0x800, 0x10000 })[length]
  if code < smallest or code > 0x10ffff or (code >= 0xd800 and code < 0xe000) then return nil end
  return length, code
end

-- C1 controls, and what changes the direction of the text around it.
local function is_harmful(code)
  return code < 0xa0 or code == 0x200e or code == 0x200f or code == 0x2028 or code == 0x2029
    or (code >= 0x202a and code <= 0x202e) or (code >= 0x2066 and code <= 0x2069)
end

local function escape_high(run)
  local parts, i = {}, 1
  while i <= #run do
    local length, code = sequence(run, i)
    local bytes = run:sub(i, i + (length or 1) - 1)
    parts[#parts + 1] = (not length or is_harmful(code)) and decimal(bytes) or bytes
    i = i + (length or 1)
  end
  return table.concat(parts)
end

--- The text as a Lua string literal on one line, readable where it is UTF-8.
---@param text string
---@return string
function M.quote(text)
  local escaped = text:gsub('[%c\\"]', function(c) return names[c] or decimal(c) end)
  return '"' .. escaped:gsub("[\128-\255]+", escape_high) .. '"'
end

--- The text without anything that a terminal would obey, its line ends and tabs as
--- spaces.
---@param text string
---@return string
function M.plain(text)
  if not text:find "[%c\128-\255]" then return text end
  local escaped = text:gsub("[\n\r\t]", " "):gsub("%c", decimal)
  return (escaped:gsub("[\128-\255]+", escape_high))
end

--- The same for a text of several lines, a traceback for one: these stay.
---@param text string
---@return string
function M.lines(text)
  if not text:find "[%c\128-\255]" then return text end
  return (text:gsub("\t", "  "):gsub("[^\n]+", M.plain))
end

--- How many columns a text takes, colours left out.
---@param text string
---@return integer
function M.width(text)
  text = text:gsub("\27%[[%d;]*m", "")
  local _, continuation = text:gsub("[\128-\191]", "")
  return #text - continuation
end

return M
