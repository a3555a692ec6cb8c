--- One chunk of the prompt, run as a task of the loop: its waiting calls wait while
--- everything else goes on, and it can be ended without ending anything else.
local loop = require "wingman.loop"
local script_traceback = require "wingman.base.script_traceback"
local watchdog = require "wingman.repl.watchdog"

local M = {}

---@class wingman.repl.chunk
---@field task wingman.future  settled when it has ended
---@field interrupted boolean
local methods = {}
methods.__index = methods

local function pack(...) return { n = select("#", ...), ... } end

-- The error with the frames of what was typed, and what that called; none where they say no
-- more than the message, which has the place. What one of our functions refused, called by a
-- command, has a line of the command's as its place: that is nobody's.
local function traceback(err)
  local raised = debug.getinfo(2, "f")
  if raised and raised.func == error then err = script_traceback.without_own_place(err) end
  local text = script_traceback.of(err)
  if type(err) ~= "string" or text == err then return err end -- it is no text, has the frames of another task, or has none
  local message, trace = text:match "^(.-)\nstack traceback:\n(.*)$"
  local frames = {}
  for frame in trace:gmatch "[^\n]+" do frames[#frames + 1] = frame:gsub("^%s*", "  ") end
  if #frames <= 1 then return message end
  return message .. "\n" .. table.concat(frames, "\n")
end

--- Starts a function. LuaJIT's compiled loops do not look for Ctrl-C, so what is typed
--- is interpreted; what it calls is compiled.
---@param fn function
---@param has_signals boolean  Ctrl-C ends it while it computes, too: in the executable
---@param watch wingman.repl.watch|nil  what ends it besides: see wingman.repl.watchdog
---@return wingman.repl.chunk
function M.start(fn, has_signals, watch)
  local arm = has_signals and require("wingman.terminal").arm or function() end
  if jit then jit.off(fn, true) end
  local self = setmetatable({ interrupted = false }, methods)
  self.task = loop.task(function()
    arm(coroutine.running())
    local results = pack(xpcall(fn, traceback))
    arm(nil)
    return results
  end)
  self.task.watched = true
  if watch then watchdog.guard(self.task, watch, function() self.interrupted = true end) end
  loop.soon(loop.wake, self.task)
  return self
end

--- Ends it with the error "interrupted", where it waits. (Where it computes, the signal
--- has done so.) May be called from anywhere but the chunk.
function methods:interrupt()
  self.interrupted = true
  local co = self.task.co
  if self.task.done or coroutine.status(co) ~= "suspended" then return end
  debug.sethook(co, function()
    if coroutine.running() ~= co then return end
    debug.sethook(co)
    error("interrupted", 0)
  end, "", 1)
  local ok, err = coroutine.resume(co)
  debug.sethook(co)
  if not ok then self.task:reject(err) end
end

--- Waits for its end.
---@return table results  as pack(xpcall(fn)) gives them
function methods:wait()
  local results, err = self.task:wait()
  if results then return results end
  return { n = 2, false, err }
end

return M
