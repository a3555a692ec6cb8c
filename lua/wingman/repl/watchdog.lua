--- Ends a chunk that does not let its program go on. What is typed at an attached prompt
--- shares the program's thread: while it computes, everything else stands still, the loop
--- that could handle Ctrl-C. So a hook looks, every thousand instructions of a chunk that
--- computes, whether its time is over or somebody wants it ended. Waiting takes no time.
---
--- A hook sees interpreted instructions only. The chunk itself is interpreted (see
--- wingman.repl.chunk); a loop in a function of the program that LuaJIT has compiled, and a
--- call into C, end when they end.
local loop = require "wingman.loop"
local script_traceback = require "wingman.base.script_traceback"

local M = {}

--- Instructions between two looks.
local EVERY = 1000

---@class wingman.repl.watch
---@field limit number|nil        seconds that a chunk may compute without waiting; nil: any
---@field now fun(): number       monotonic seconds
---@field wants_end fun(): boolean  whether somebody asks for the chunk's end; called from a hook, it must not wait

local function set_hook(self, every) debug.sethook(self.co, self.hook, "", every) end

local function begin_time(self)
  self.iterations = loop.iterations()
  self.deadline = self.watch.limit and self.watch.now() + self.watch.limit
end

-- Why the chunk is to end; nil: it may go on.
local function reason_to_end(self)
  if self.watch.wants_end() then
    self.interrupted()
    return "interrupted"
  end
  if loop.iterations() ~= self.iterations then begin_time(self) end -- it waits within a coroutine of its own
  if not self.deadline or self.watch.now() < self.deadline then return nil end
  return ("ended: it computed for %g s without waiting, and the program stood still; sleep(0) now and then lets it go on")
    :format(self.watch.limit)
end

-- The hook. Once the chunk is to end, none of its instructions runs any more: a pcall of
-- its own would go on.
local function look(self)
  local co = coroutine.running()
  if co ~= self.co and co and loop.is_task(co) then return end -- another task, while the chunk waits within a coroutine
  if not self.reason then
    self.reason = reason_to_end(self)
    if not self.reason then return end
    set_hook(self, 1)
  end
  local running = debug.getinfo(3, "Sl") -- 1 is this function, 2 the hook
  if not running then error(self.reason, 0) end
  if script_traceback.is_own(running.source) then return end -- not torn apart
  error(("%s:%d: %s"):format(running.short_src, running.currentline, self.reason), 0)
end

--- Watches a task that has not begun.
---@param task wingman.future  of wingman.loop.task
---@param watch wingman.repl.watch
---@param interrupted fun()  called when it is ended because somebody asked for it
function M.guard(task, watch, interrupted)
  local self = { co = task.co, watch = watch, interrupted = interrupted }
  self.hook = function() look(self) end
  function task.enter()
    self.before = { debug.gethook(self.co) }
    begin_time(self)
    set_hook(self, self.reason and 1 or EVERY)
    return true
  end
  function task.leave()
    if debug.gethook(self.co) ~= self.hook then return end -- a signal of the executable has taken its place
    debug.sethook(self.co, unpack(self.before, 1, 3))
  end
end

return M
