--- A real terminal for specs: tmux, whose keys are typed and whose screen is read.
local eventually = require "spec.support.eventually"
local process = require "wingman.loop.process"

local M = {}

--- Seconds for what takes milliseconds on a machine that has time.
local PATIENCE = 60

---@class spec.terminal
---@field socket string
local methods = {}
methods.__index = methods

local function run(args)
  local child = assert(process.spawn { file = "tmux", args = args, stderr = true })
  local out = child:read_all(PATIENCE)
  local err = child:read_all(PATIENCE, "stderr")
  local code = child:wait(PATIENCE)
  child:close()
  return code, out, err
end

local function tmux(self, ...)
  local code, out, err = run { "-S", self.socket, "-f", "/dev/null", ... }
  assert(code == 0, ("tmux %s: %s"):format(table.concat({ ... }, " "), err))
  return out
end

--- Whether there is a tmux to run.
function M.is_there()
  local child = process.spawn { file = "tmux", args = { "-V" } }
  if not child then return false end
  local code = child:wait(PATIENCE)
  child:close()
  return code == 0
end

--- How many times a text has another one in it.
---@param text string
---@param plain string
---@return integer
function M.count(text, plain)
  local n, at = 0, 1
  while true do
    local found = text:find(plain, at, true)
    if not found then return n end
    n, at = n + 1, found + 1
  end
end

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

--- Opens a terminal of 100 x 30 that runs `wingman repl` with these arguments; once
--- that has ended, the terminal shows `code N` and the modes that it left behind.
---@param args string[]
---@param options { history: string|nil, width: integer|nil, height: integer|nil }|nil
---@return spec.terminal
function M.open(args, options)
  options = options or {}
  local self = setmetatable({ socket = os.tmpname() }, methods)
  os.remove(self.socket)
  local words = { "WINGMAN_HISTORY=" .. quote(options.history or ""), "LC_ALL=C.UTF-8", quote(process.wingman_path()) }
  words[#words + 1] = "repl"
  for _, arg in ipairs(args) do words[#words + 1] = quote(arg) end
  -- The shell outlives a Ctrl-C that the prompt does not see any more; the prompt inherits nothing of that.
  local command = "trap : INT; " .. table.concat(words, " ") .. [[; code=$?; trap '' INT; echo "code $code"; stty -a | tr ' ;' '\n\n' | grep -x -e '-*icanon' -e '-*echo' | tr '\n' ' '; exec sleep 1000]]
  tmux(self, "new-session", "-d", "-x", tostring(options.width or 100), "-y", tostring(options.height or 30), command)
  return self
end

--- The lines of the screen, empty ones at the end left out.
---@param scrolled boolean|nil  with what has scrolled off the top
---@return string
function methods:screen(scrolled)
  local args = { "capture-pane", "-p", "-J" }
  if scrolled then
    args[4], args[5] = "-S", "-"
  end
  return (tmux(self, unpack(args)):gsub("%s+$", ""))
end

--- Presses keys: texts, and tmux's names for others ("Enter", "Tab", "C-c", "Up").
function methods:press(...) tmux(self, "send-keys", ...) end

--- Types a text as it is.
function methods:type(text) tmux(self, "send-keys", "-l", text) end

--- Types a line and Enter.
function methods:enter(text)
  if text ~= "" then self:type(text) end
  self:press "Enter"
end

--- Pastes a text, as a mouse does: `bracketed` with the marks that a terminal puts
--- around it when it was asked to, else as if it were typed fast.
function methods:paste(text, bracketed)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  tmux(self, "load-buffer", path)
  os.remove(path)
  if bracketed then tmux(self, "paste-buffer", "-p") else tmux(self, "paste-buffer") end
end

function methods:resize(width, height)
  tmux(self, "resize-window", "-x", tostring(width), "-y", tostring(height))
end

local function ask(self, what) return tmux(self, "display-message", "-p", what):match "%S+" end

--- Waits until the cursor is in this column (from 0).
function methods:await_column(column)
  eventually(("the cursor is in column %d"):format(column), function()
    local is = ask(self, "#{cursor_x}")
    return is == tostring(column), is
  end)
end

-- What stty says of the terminal.
local function modes(self, option)
  local pipe = assert(io.popen(("stty %s <%s"):format(option, ask(self, "#{pane_tty}"))))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

--- Waits until the program was told its screen's width.
function methods:await_size(width)
  eventually(("the terminal is %d wide"):format(width), function()
    local size = modes(self, "size")
    return size:match " (%d+)" == tostring(width), size
  end)
end

--- Waits until the program has lent the terminal: its modes are those of lines again.
function methods:await_lent()
  eventually("the terminal is lent", function()
    local all = modes(self, "-a")
    return all:find " icanon" ~= nil, all
  end)
end

--- Waits until the screen has this (a Lua pattern, unless `plain`); the screen.
---@param pattern string
---@param plain boolean|nil
---@param scrolled boolean|nil
---@return string screen
function methods:await(pattern, plain, scrolled)
  return (select(2, eventually(("the screen shows '%s'"):format(pattern), function()
    local screen = self:screen(scrolled)
    return screen:find(pattern, 1, plain), screen
  end, PATIENCE)))
end

--- Waits until the screen has a text so many times; the screen.
---@param times integer
---@param text string
---@return string screen
function methods:await_times(times, text)
  return (select(2, eventually(("the screen shows '%s' %d times"):format(text, times), function()
    local screen = self:screen()
    return M.count(screen, text) == times, screen
  end, PATIENCE)))
end

--- Waits for a fresh prompt at the end of the screen.
function methods:await_prompt() return self:await "wingman>$" end

function methods:close()
  run { "-S", self.socket, "kill-server" }
  os.remove(self.socket)
end

return M
