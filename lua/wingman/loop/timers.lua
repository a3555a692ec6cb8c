--- Timers by due time: a binary heap, the soonest timer at 1. Knows neither clock nor loop.
local floor = math.floor

local M = {}

---@class wingman.timer
---@field due number  monotonic seconds
---@field fn fun(arg: any)|nil  nil once it has run or was cancelled
---@field arg any  what fn is called with
---@field index integer|false|nil  its place in the heap
---@field package heap wingman.timers
local timer_methods = {}
timer_methods.__index = timer_methods

---@class wingman.timers
---@field [integer] wingman.timer
local methods = {}
methods.__index = methods

local function place(heap, timer, i)
  heap[i] = timer
  timer.index = i
end

local function sift_up(heap, timer, i)
  while i > 1 do
    local parent = floor(i / 2)
    if heap[parent].due <= timer.due then break end
    place(heap, heap[parent], i)
    i = parent
  end
  place(heap, timer, i)
end

local function sift_down(heap, timer, i)
  local n = #heap
  while true do
    local child = i * 2
    if child > n then break end
    if child < n and heap[child + 1].due < heap[child].due then child = child + 1 end
    if heap[child].due >= timer.due then break end
    place(heap, heap[child], i)
    i = child
  end
  place(heap, timer, i)
end

local function remove(heap, timer)
  local i = timer.index
  timer.index = nil
  local last = table.remove(heap)
  if last == timer then return end
  place(heap, last, i)
  sift_up(heap, last, i)
  sift_down(heap, last, last.index)
end

--- Ends the timer; its function does not run any more. Safe twice.
function timer_methods:cancel()
  self.fn, self.arg = nil, nil
  if self.index then remove(self.heap, self) end
end

--- Makes a timer of a table with `due`, `fn`, `arg` and `index = false`, and adds it. Returns the table.
---@param timer table
---@return wingman.timer
function methods:add(timer)
  setmetatable(timer, timer_methods)
  timer.heap = self
  self[#self + 1] = timer
  sift_up(self, timer, #self)
  return timer
end

--- Cancels all of them.
function methods:clear()
  for i = #self, 1, -1 do self[i]:cancel() end
end

---@return wingman.timers
function M.new() return setmetatable({}, methods) end

return M
