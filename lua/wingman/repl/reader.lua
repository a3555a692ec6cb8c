--- From typed lines to chunks. The parser says whether a chunk is whole: it wants more
--- when its error is about the end of the text.
local loop = require "wingman.loop"

local M = {}

---@class wingman.repl.reader
---@field package lines string[]
local methods = {}
methods.__index = methods

-- A quoted string does not go on in the next line.
local function wants_more(err) return err:find "near '<eof>'$" and not err:find("unfinished string", 1, true) end

--- Compiles a chunk; an expression returns its values.
---@param text string
---@param name string|nil  for messages; default "prompt"
---@return function|nil chunk, string|nil err, boolean|nil incomplete
function M.compile(text, name)
  name = "=" .. (name or "prompt")
  text = text:gsub("^%s*=", "", 1) -- as in older prompts
  local chunk, expression_err = loadstring("return " .. text, name)
  if chunk then return chunk end
  local err
  chunk, err = loadstring(text, name)
  if chunk then return chunk end
  return nil, err, (wants_more(err) or wants_more(expression_err)) and true -- a table over several lines is no statement
end

--- Takes the next line (or several).
---@param line string
---@return "more"|"chunk"|"error"|"nothing" state
---@return function|string|nil result  the chunk, or the error
---@return string text  of the chunk so far
function methods:add(line)
  self.lines[#self.lines + 1] = line
  local text = table.concat(self.lines, "\n")
  if not text:find "%S" then
    self.lines = {}
    return "nothing", nil, text
  end
  local chunk, err, incomplete = M.compile(text)
  if incomplete then return "more", nil, text end
  self.lines = {}
  if chunk then return "chunk", chunk, text end
  return "error", err, text
end

--- Whether a chunk was begun.
---@return boolean
function methods:is_open() return #self.lines > 0 end

--- Forgets the chunk that was begun; its error, nil when there was none.
---@return string|nil err
function methods:abandon()
  local text = table.concat(self.lines, "\n")
  self.lines = {}
  if text == "" then return nil end
  local _, err = M.compile(text)
  return err
end

--- Submits a line to a session, and waits: true when it went well; nil when more lines are needed.
---@param session table  with submit(line, finished)
---@param line string
---@return boolean|nil ok
function M.run_line(session, line)
  local done = loop.future()
  local state = session:submit(line, function(ok) done:resolve(ok) end)
  if state == "more" then return nil end
  if state == "running" then return done:wait() end
  return state ~= "error"
end

---@return wingman.repl.reader
function M.new() return setmetatable({ lines = {} }, methods) end

return M
