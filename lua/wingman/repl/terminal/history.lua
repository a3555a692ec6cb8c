--- The history file: one chunk a line, line ends written as \n. It belongs to its
--- owner alone, and several prompts may write to it at once.
local terminal = require "wingman.terminal"

local M = {}

--- Chunks that are kept; longer ones than MAX_BYTES are not.
local MAX_ENTRIES, MAX_BYTES = 10000, 65536

---@class wingman.repl.history
---@field path string|nil
---@field last string|nil
local methods = {}
methods.__index = methods

local function encode(text) return (text:gsub("\\", "\\\\"):gsub("\n", "\\n")) end

local function decode(line)
  return (line:gsub("\\(.)", function(c) return c == "n" and "\n" or c end))
end

-- WINGMAN_HISTORY, empty for none; else a file beside those of other prompts.
local function default_path()
  local named = os.getenv "WINGMAN_HISTORY"
  if named then return named ~= "" and named or nil end
  local home = os.getenv "HOME"
  return home and home .. "/.wingman_history"
end

local function read_entries(path)
  local entries = {}
  local file = path and io.open(path, "r")
  if not file then return entries end
  for line in file:lines() do entries[#entries + 1] = decode(line) end
  file:close()
  return entries
end

-- A file that has grown to twice the limit is cut to it.
local function cut(path, entries)
  local kept = {}
  for i = #entries - MAX_ENTRIES + 1, #entries do kept[#kept + 1] = encode(entries[i]) .. "\n" end
  local fresh = path .. "." .. tostring(os.time())
  if terminal.append(fresh, table.concat(kept)) then os.rename(fresh, path) end
end

--- What may go into the file: no tokens, nothing that starts with a space.
---@param text string
---@return boolean
function M.is_kept(text)
  return text:find "%S" ~= nil and not text:find "^%s" and #text <= MAX_BYTES
    and not text:find("eyJ[%w_%-]+%.[%w_%-]+%.") -- a JWT
end

--- Adds a chunk; to the file at once, so that a kill loses nothing.
---@param text string
---@return boolean|nil written, string|nil err
function methods:add(text)
  if text == self.last or not text:find "%S" then return true end
  self.last = text
  self.remember(text)
  if not self.path or not M.is_kept(text) then return true end
  return terminal.append(self.path, encode(text) .. "\n")
end

--- Reads the file; `remember(text)` is called for each chunk, the oldest first.
---@param remember fun(text: string)
---@return wingman.repl.history
function M.open(remember)
  local path = default_path()
  local entries = read_entries(path)
  if #entries > 2 * MAX_ENTRIES then cut(path, entries) end
  for i = math.max(1, #entries - MAX_ENTRIES + 1), #entries do remember(entries[i]) end
  return setmetatable({ path = path, remember = remember, last = entries[#entries] }, methods)
end

return M
