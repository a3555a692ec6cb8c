--- A real terminal for specs: tmux, whose keys are typed and whose screen is read.
local loop = require "wingman.loop"
local process = require "wingman.process"

local M = {}

---@class spec.terminal
---@field socket string
local methods = {}
methods.__index = methods

local function run(args)
  local child = assert(process.spawn { file = "tmux", args = args, stderr = true })
  local out = child:read_all(10)
  local err = child:read_all(10, "stderr")
  local code = child:wait(10)
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
  local code = child:wait(5)
  child:close()
  return code == 0
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

--- Waits until the cursor is in this column (from 0).
function methods:await_column(column)
  local is
  assert(loop.wait_until(function()
    is = tmux(self, "display-message", "-p", "#{cursor_x}"):match "%d+"
    return is == tostring(column)
  end, 10), ("the cursor is in column %s, not %d"):format(is, column))
end

--- Waits until the program was told its screen's width.
function methods:await_size(width)
  local device = tmux(self, "display-message", "-p", "#{pane_tty}"):match "%S+"
  assert(loop.wait_until(function()
    local pipe = assert(io.popen("stty size <" .. device))
    local size = pipe:read "*l"
    pipe:close()
    return size:match " (%d+)$" == tostring(width)
  end, 10))
end

--- Waits until the program has lent the terminal: its modes are those of lines again.
function methods:await_lent()
  local device = tmux(self, "display-message", "-p", "#{pane_tty}"):match "%S+"
  assert(loop.wait_until(function()
    local pipe = assert(io.popen("stty -a <" .. device))
    local modes = pipe:read "*a"
    pipe:close()
    return modes:find " icanon" ~= nil
  end, 10), "the terminal is not lent")
end

--- Waits until the screen has this (a Lua pattern, unless `plain`); the screen.
---@param pattern string
---@param plain boolean|nil
---@param scrolled boolean|nil
---@return string screen
function methods:await(pattern, plain, scrolled)
  local screen
  local deadline = loop.now() + 10
  repeat
    screen = self:screen(scrolled)
    if screen:find(pattern, 1, plain) then return screen end
    loop.sleep(0.01)
  until loop.now() > deadline
  error(("the screen does not show '%s' after 10 s:\n%s"):format(pattern, screen), 2)
end

--- Waits for a fresh prompt at the end of the screen.
function methods:await_prompt() return self:await "wingman>$" end

function methods:close()
  run { "-S", self.socket, "kill-server" }
  os.remove(self.socket)
end

return M
