--- The loop of this Lua state: coroutines, timers and futures on top of the
--- core's event loop.
---
--- `loop.run(fn)` owns the thread until fn has returned. A host that has a loop
--- of its own calls `loop.step(budget_us)` once a tick instead. A call that
--- waits yields when it is made inside a task of the loop; made anywhere else it
--- pumps the loop until it is done.
local core = require "wingman.core"
local duration = require "wingman.base.duration"
local escape = require "wingman.base.escape"
local protected = require "wingman.base.protected"
local script_traceback = require "wingman.base.script_traceback"
local timers_module = require "wingman.loop.timers"

local coroutine_running, coroutine_resume = coroutine.running, coroutine.resume
local coroutine_create, coroutine_yield = coroutine.create, coroutine.yield
local coroutine_status = coroutine.status
local huge = math.huge
local now = core.now

local M = {}

--- Monotonic time in seconds; only differences mean something.
M.now = now

local handle           -- the core loop, made at first use
local timers = timers_module.new()
local ready, ready_a, ready_b = {}, {}, {} -- functions to run and their arguments, a queue
local ready_head, ready_tail = 1, 0
local tasks = setmetatable({}, { __mode = "k" }) -- coroutine -> task
local sources = {}     -- objects with drain_events() or flush(), in order
local stopped          -- why nothing waits any more
local iterations = 0  -- so far
local report           -- what is done with an error that nobody waits for
local unheard = 0      -- such errors that went to standard error, as nobody listens

--- Internal: the core loop of this Lua state, for functions of wingman.core.
function M.handle()
  handle = handle or core.loop()
  return handle
end

--- Internal: closes the loop with its sockets, timers and tasks. The next use makes a new one.
function M.close()
  timers:clear()
  sources, ready, ready_a, ready_b, ready_head, ready_tail = {}, {}, {}, {}, 1, 0
  if handle then handle:close() end
  handle = nil
end

--- Sets the function that gets errors of tasks and timers that nobody waits for. The
--- default writes them to standard error.
---@param fn fun(message: string)|nil
function M.on_error(fn) report = fn end

--- How many errors were only written to standard error: if there is one, `wingman run` does not
--- end with 0.
---@return integer
function M.unheard_errors() return unheard end

--- Internal: as many more have happened in another thread, which has written them.
---@param count integer
function M.add_unheard_errors(count) unheard = unheard + count end

local function complain(message)
  if report then return report(message) end
  unheard = unheard + 1
  io.stderr:write("wingman: error in a task: ", escape.lines(message), "\n")
end

-- Timers ---------------------------------------------------------------------

--- Runs `fn(arg)` once, `seconds` from now.
---@param seconds number|string  a duration: seconds or "5s"; less than 0 is 0
---@param fn fun(arg: any)
---@param arg any
---@return wingman.timer
function M.timer(seconds, fn, arg)
  if type(seconds) ~= "number" or seconds ~= seconds then seconds = duration.check(seconds, "timer", 2) end
  return timers:add { due = now() + seconds, fn = fn, arg = arg, index = false }
end

--- Internal: how many iterations there were.
---@return integer
function M.iterations() return iterations end

--- Internal: whether a coroutine is a task of the loop.
---@param co thread
---@return boolean
function M.is_task(co) return tasks[co] ~= nil end

--- Internal: the functions of tasks that were spawned and have not begun.
---@return function[]
function M.unbegun()
  local list = {}
  for _, task in pairs(tasks) do
    if task.start then list[#list + 1] = task.start[1] end
  end
  return list
end

--- Internal: how many timers are waiting, for specs that look for left-overs.
function M.timer_count() return #timers end

-- Tasks and futures -----------------------------------------------------------

-- Places in front of the queue that may be empty.
local QUEUE_KEPT = 1000
-- Lists without holes stay arrays, and nothing is allocated for an entry.
local NONE = {}

local function push_ready(fn, a, b)
  local i = ready_tail + 1
  ready_tail = i
  if a == nil then a = NONE end
  if b == nil then b = NONE end
  ready[i], ready_a[i], ready_b[i] = fn, a, b
end

---@class wingman.future
---@field done boolean  it is settled
---@field package ok boolean
---@field package count integer        of values
---@field package first any            the first value
---@field package second any           the second one
---@field package values table|false   all of them, when there are more
---@field package waiters table|false  functions, tasks that wait without a limit, timers of those that have one
local future_methods = {}
future_methods.__index = future_methods

--- A value that is not there yet.
---@return wingman.future
function M.future()
  -- All fields at once: one that is added later makes the table anew.
  return setmetatable({ done = false, ok = false, count = 0, first = false, second = false, values = false, waiters = false },
    future_methods)
end

local at_once -- inside M.at_once: functions and their arguments, in turns
local resume  -- of a task

-- A task goes on that waits for a future; with a limit it is the timer that waits.
local function go_on(waiter)
  local task = waiter.task
  if task == nil then return resume(waiter) end
  if not task then return end -- it has gone on
  waiter.task = false
  waiter:cancel()
  return resume(task)
end

local function settle(future, ok, count, first, second)
  future.done, future.ok, future.count, future.first, future.second = true, ok, count, first, second
  local waiters = future.waiters
  future.waiters = false
  for i = 1, waiters and #waiters or 0 do
    local fn, arg = waiters[i], future
    if type(fn) == "table" then fn, arg = go_on, fn end
    if at_once then at_once[#at_once + 1], at_once[#at_once + 2] = fn, arg
    else push_ready(fn, arg) end
  end
  return true
end

--- Settles the future with values. False when it was settled before; the first
--- settlement counts.
---@return boolean
function future_methods:resolve(...)
  if self.done then return false end
  local count = select("#", ...)
  if count > 2 then self.values = { ... } end
  local first, second = ...
  return settle(self, true, count, first, second)
end

--- Settles the future with an error: `wait` returns nil, err.
---@return boolean
function future_methods:reject(err) return not self.done and settle(self, false, 1, err) end

--- Calls `fn(future)` once the future is settled, in a later step of the loop.
---@param fn fun(future: wingman.future)
function future_methods:on_settled(fn)
  if self.done then return push_ready(fn, self) end
  local waiters = self.waiters
  if waiters then waiters[#waiters + 1] = fn else self.waiters = { fn } end
end

local function first_run(task)
  local start = task.start
  task.start = nil
  return coroutine_resume(task.co, task, unpack(start, 1, start.n))
end

local function outcome(future)
  if not future.ok then return nil, future.first end
  local count = future.count
  if count == 1 then return future.first end
  if count == 2 then return future.first, future.second end
  if count > 2 then return unpack(future.values, 1, count) end
end

function resume(task)
  -- In Lua 5.1 a call that waits inside pcall raises there: its task may have ended since.
  if coroutine_status(task.co) == "dead" then return end
  local enter = task.enter
  if enter and not enter(task) then return end
  local ok, err
  if task.start then ok, err = first_run(task) else ok, err = coroutine_resume(task.co) end
  if enter then task.leave(task) end
  if coroutine_status(task.co) ~= "dead" then return end
  tasks[task.co] = nil
  if not ok then
    local trace = script_traceback.of(tostring(err), task.co)
    task.error = err
    if not (task.waiters or task.watched) then complain(trace) end
    task:reject(trace) -- a later wait gets the error, too
  end
end

local function raise_when_stopped()
  if stopped then error(stopped, 0) end
end

--- Internal: calls fn(a, b, c). An error in it is reported, with its traceback, and ends nothing
--- else. Gives what fn gave.
function M.guarded(fn, a, b, c)
  local ok, result = protected.call(fn, a, b, c)
  if ok then return result end
  complain(tostring(result))
end
local guarded = M.guarded

local run_ready -- see Turning

--- Internal: calls fn(a), and everybody who waits for a future that is settled in it, before it
--- returns: for an end after which nobody may run the loop. Who was to go on in the next
--- iteration, with an answer that has come, goes on first.
---@param fn fun(a: any)
function M.at_once(fn, a)
  if at_once then return fn(a) end
  run_ready()
  local list = {}
  at_once = list
  guarded(fn, a)
  local i = 1
  while list[i] do
    guarded(list[i], list[i + 1])
    i = i + 2
  end
  at_once = nil
end

local function pump_until(future, deadline)
  while not future.done do
    raise_when_stopped()
    local left = deadline - now()
    if left <= 0 then return end
    M.iterate(left, future)
  end
end

-- Nobody is left in the list of a future that may never be settled.
local function forget_waiter(future, fn)
  local waiters = future.waiters
  for i = waiters and #waiters or 0, 1, -1 do
    if waiters[i] == fn then return table.remove(waiters, i) end
  end
end

--- Waits until the future is settled: its values, or nil, err. After
--- `timeout` seconds: nil, "timeout"; the future itself goes on.
---@param timeout number|string|nil  a duration: seconds or "5s"; nil waits for ever
---@return any ...
function future_methods:wait(timeout)
  if timeout and (type(timeout) ~= "number" or timeout ~= timeout) then timeout = duration.limit(timeout, "wait", 2) end
  if self.done then return outcome(self) end
  local co = coroutine_running()
  local task = co and tasks[co]
  if not task then
    pump_until(self, timeout and now() + timeout or huge)
    if not self.done then return nil, "timeout" end
    return outcome(self)
  end
  if not timeout then
    self:on_settled(task)
    coroutine_yield()
    return outcome(self)
  end
  local timer = timers:add { due = now() + timeout, fn = go_on, arg = false, index = false, task = task }
  timer.arg = timer
  self:on_settled(timer)
  coroutine_yield()
  if self.done then return outcome(self) end
  forget_waiter(self, timer)
  return nil, "timeout"
end

local function body(task, fn, ...) task:resolve(fn(...)) end

--- Internal: a task that nobody has started, see M.spawn and M.wake. With `enter` and `leave`
--- set in it, enter(task) is called before each time that it goes on (false: it stays
--- where it is, for good) and leave(task) when it waits again or has ended.
---@return wingman.future task
function M.task(fn, ...)
  local task = M.future()
  task.start = { n = select("#", ...) + 1, fn, ... }
  task.co = coroutine_create(body)
  tasks[task.co] = task
  return task
end

--- Starts `fn(...)` as a task of the loop, in its next step. The task is a
--- future of what fn returns; an error in it is the future's error, or is
--- reported when nobody waits for it.
---@param fn function
---@return wingman.future task
function M.spawn(fn, ...)
  if type(fn) ~= "function" then error("spawn: a function is expected, got " .. type(fn), 2) end
  local task = M.task(fn, ...)
  push_ready(resume, task)
  return task
end

--- Goes on at once with a task that was not started or has called M.park; not from
--- within another task.
---@type fun(task: wingman.future)
M.wake = resume

--- In a task: waits until somebody calls M.wake.
M.park = coroutine_yield

--- Calls fn(a, b) in the next iteration, which does not wait then.
---@type fun(fn: function, a: any, b: any)
M.soon = push_ready

--- Waits for a time.
---@param seconds number|string  a duration: seconds or "5s"; less than 0 is 0
function M.sleep(seconds)
  if type(seconds) ~= "number" or seconds ~= seconds then seconds = duration.check(seconds, "sleep", 2) end
  local co = coroutine_running()
  local task = co and tasks[co]
  if task then
    M.timer(seconds, resume, task)
    coroutine_yield()
    return
  end
  local future = M.future()
  M.timer(seconds, function() future:resolve(true) end)
  future:wait()
end

--- Waits until `condition()` is true; it is called after every iteration of the loop and at
--- least every 5 ms. True, or nil, "timeout".
---@param condition fun(): any
---@param timeout number|string|nil  a duration: seconds or "5s"; nil waits for ever
---@return any value, string|nil
function M.wait_until(condition, timeout)
  timeout = duration.limit(timeout, "wait_until", 2)
  local deadline = timeout and now() + timeout or huge
  while true do
    local value = condition()
    if value then return value end
    if now() >= deadline then return nil, "timeout" end
    M.sleep(0.005)
  end
end

--- Makes `run`, `step` and every call that runs the loop raise `reason` from now on.
---@param reason string
function M.stop(reason) stopped = reason end

--- Internal: whether `stop` was called, after which calls that wait outside of a task raise.
---@return boolean
function M.is_stopped() return stopped ~= nil end

-- Turning ---------------------------------------------------------------------

--- Seconds that a step gives to the sockets, and to values of replicas, even when its budget is used up.
local SOCKETS, VALUES = 50e-6, 50e-6

--- Internal: registers an object. Each method is called if the object has it: `flush()` before
--- the sockets are serviced; `drain_events(deadline, values_until)` afterwards, in a step also before, which in a
--- step ends at the deadline (of M.now), for final values at another (false: none now), and says whether events are left; `stepped()` at the end of a step; `has_work()`: whether an iteration should come at once.
function M.add_source(source) sources[#sources + 1] = source end

--- Internal: takes an object out again. Safe when it is not there.
function M.remove_source(source)
  for i = #sources, 1, -1 do
    if sources[i] == source then table.remove(sources, i) end
  end
end

local function run_due_timers(until_time)
  local time = now()
  while timers[1] and timers[1].due <= time do
    local timer = timers[1]
    local fn, arg = timer.fn, timer.arg
    timer:cancel()
    if fn then guarded(fn, arg) end
    if until_time and now() >= until_time then return end
  end
end

-- Moves what is left in the queue to its beginning, seldom enough to cost nothing: a queue
-- that is never empty would grow for ever.
local function move_up()
  local count = ready_tail - ready_head + 1
  for i = 1, count do
    local from = ready_head + i - 1
    ready[i], ready_a[i], ready_b[i] = ready[from], ready_a[from], ready_b[from]
  end
  for i = math.max(count + 1, ready_head), ready_tail do
    ready[i], ready_a[i], ready_b[i] = NONE, NONE, NONE
  end
  ready_head, ready_tail = 1, count
end

function run_ready(until_time)
  if ready_head > QUEUE_KEPT and ready_head > ready_tail / 2 then move_up() end
  local last = ready_tail -- what these add runs in the next iteration: I/O is not starved
  while ready_head <= last and ready_head <= ready_tail do -- one of them may have pumped
    local i = ready_head
    local fn, a, b = ready[i], ready_a[i], ready_b[i]
    ready[i], ready_a[i], ready_b[i] = NONE, NONE, NONE
    ready_head = i + 1
    if a == NONE then a = nil end
    if b == NONE then b = nil end
    guarded(fn, a, b)
    if until_time and now() >= until_time then return end
  end
  if ready_head > ready_tail then ready_head, ready_tail = 1, 0 end
end

-- What is done at a signal of the executable; it knows a script's end by this word.
---@type fun(signal: "SIGINT"|"SIGTERM"|"SIGHUP")
local on_signal = function() M.stop "interrupted" end

--- Sets the function that is called when the executable receives SIGINT, SIGTERM or SIGHUP. The
--- default stops the loop (see `loop.stop`). In a host that embeds the module signals belong to the
--- host, and the function is never called.
---@param fn fun(signal: "SIGINT"|"SIGTERM"|"SIGHUP")  called by the loop; must not wait
function M.on_signal(fn)
  if type(fn) ~= "function" then error("loop.on_signal: a function is expected, got " .. type(fn), 2) end
  on_signal = fn
end

-- Serves the sockets, until a deadline when there is one: whether nothing is left.
local function service(wait, deadline)
  local signal, done
  if deadline then done, signal = M.handle():turn_until(deadline)
  else signal = M.handle():turn(wait) end
  if signal then on_signal(signal) end
  return done
end

--- Internal: what is to be sent leaves as far as it can without waiting. A signal that comes
--- meanwhile is handled as in an iteration.
function M.send_now() service(0, 0) end

-- Hands out events; with a deadline each source gets one at least, and another is the
-- first one each time. True when some are left. See M.add_source.
local first_source = 0
local function hand_out(until_time, values_until)
  local left = false
  first_source = first_source + 1
  for i = 1, #sources do
    local source = sources[(first_source + i) % #sources + 1]
    if source and source.drain_events and guarded(source.drain_events, source, until_time, values_until) then left = true end
  end
  return left
end

local function each_source(method)
  for i = #sources, 1, -1 do
    local source = sources[i]
    if source and source[method] then guarded(source[method], source) end
  end
end

--- Internal: one iteration. Due timers, ready tasks, what was recorded leaves, sockets are
--- serviced (waiting up to `wait` seconds when nothing is ready), events are
--- handed out. What that makes ready may have more to send: then all of it leaves at once
--- in the next iteration, and else now.
---@param wait number seconds
---@param awaited wingman.future|nil  once it is settled nothing waits
function M.iterate(wait, awaited)
  iterations = iterations + 1
  run_due_timers()
  run_ready()
  each_source "flush"
  if stopped or ready_head <= ready_tail or (awaited and awaited.done) then
    wait = 0
  elseif timers[1] then
    wait = math.max(0, math.min(wait, timers[1].due - now()))
  end
  service(wait == huge and -1 or wait)
  hand_out()
  if ready_head > ready_tail then M.handle():write() end
end

--- Runs one bounded turn of the loop, for a host with a loop of its own. Never waits. Begins no
--- work after `budget_us` microseconds; what is left is done in the next step. Due timers, tasks
--- and events of the last step get at most half of the budget, the sockets at least a quarter.
---@param budget_us number|nil  default 1000
---@return boolean done  false when something is left
function M.step(budget_us)
  local begun = now()
  if budget_us ~= nil and type(budget_us) ~= "number" then
    error("step: a number of microseconds is expected, got " .. type(budget_us), 2)
  end
  raise_when_stopped()
  iterations = iterations + 1
  local budget = (budget_us or 1000) / 1e6
  local half = begun + budget / 2
  run_due_timers(half)
  run_ready(half)
  hand_out(half, false)
  each_source "flush"
  local done = service(0, math.max(begun + budget * 0.75, now() + SOCKETS))
  local left = hand_out(begun + budget, math.max(begun + budget, now() + VALUES))
  each_source "stepped"
  return done and not left and ready_head > ready_tail
end

--- File descriptors for the poll loop of a host: call `step` when one is readable, or when
--- `timeout()` seconds have passed.
---@return integer[]
function M.fds() return { M.handle():fd() } end

--- Seconds after which `step` has work even if no descriptor is readable.
---@return number|nil seconds  nil: never
function M.timeout()
  if ready_head <= ready_tail then return 0 end
  for i = 1, #sources do
    local source = sources[i]
    if source.has_work and source:has_work() then return 0 end
  end
  local seconds = M.handle():timeout()
  local due = timers[1] and math.max(0, timers[1].due - now())
  return due and math.min(due, seconds or due) or seconds
end

--- Runs `fn(...)` as a task, and the loop until it returns. Returns what fn returned; raises its
--- error, with the traceback of the task.
---@param fn function
---@return any ...
function M.run(fn, ...)
  if type(fn) ~= "function" then
    error("loop.run: a function is expected, got " .. type(fn), 2)
  end
  local task = M.spawn(fn, ...)
  task.watched = true
  pump_until(task, huge)
  raise_when_stopped() -- whatever became of the task then is a consequence
  if not task.ok then error(task.first, 0) end
  return outcome(task)
end

return M
