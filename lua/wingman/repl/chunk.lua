--- One chunk of the prompt, run as a task of the loop: its waiting calls wait while
--- everything else goes on, and it can be ended without ending anything else.
local loop = require "wingman.loop"
local watchdog = require "wingman.repl.watchdog"

local M = {}

---@class wingman.repl.chunk
---@field task wingman.future  settled when it has ended
---@field interrupted boolean
local methods = {}
methods.__index = methods

local function pack(...) return { n = select("#", ...), ... } end

-- The frames below the chunk are the prompt's own.
local function traceback(err)
  if type(err) ~= "string" then return err end
  local trace = debug.traceback("", 2):gsub("^%s*stack traceback:%s*", "")
  local frames = {}
  for frame in trace:gmatch "[^\n]+" do
    if frame:find("in function 'xpcall'", 1, true) then break end
    if not (frame:find("in function 'error'", 1, true) or frame:find("repl/watchdog.lua:", 1, true)) then frames[#frames + 1] = frame:gsub("^%s*", "  ") end
  end
  if #frames <= 1 then return err end -- the message has the place
  return err .. "\n" .. table.concat(frames, "\n")
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
