--- A loop and a clock for specs of a load test's executors: time goes on only when the spec
--- says so, and so how late the loop is, is known, whatever else the machine does.
local M = {}

-- Whether a module is the loop or the clock, or has one of them in a local variable.
local function is_faked(name)
  return name == "wingman.loop" or name == "wingman.load.executor.native" or name:find("wingman.load.executor.", 1, true) == 1
end

-- Unloads these modules: those that were there.
local function unload()
  local found = {}
  for name, module in pairs(package.loaded) do
    if is_faked(name) then found[name] = module end
  end
  for name in pairs(found) do package.loaded[name] = nil end
  return found
end

---@class spec.fake_loop
---@field now_us number        the clock of the core
---@field in_flight integer    operations that are under way to the cluster
---@field loop table           stands for wingman.loop
local methods = {}
methods.__index = methods

-- What is asked of wingman.loop by executors.
local function loop_of(self)
  return {
    timer = function(seconds, fn)
      local timer = { at = self.now_us + math.max(0, seconds) * 1e6, fn = fn }
      timer.cancel = function() timer.fn = nil end
      self.timers[#self.timers + 1] = timer
      return timer
    end,
    soon = function(fn, arg) self.ready[#self.ready + 1] = { fn = fn, arg = arg } end,
    wake = function(user) user.serve() end,
    iterations = function() return self.iterations end,
  }
end

--- Puts it in the place of the loop, for modules that are loaded from now on.
---@return spec.fake_loop
function M.install()
  local self = setmetatable({ now_us = 1e9, in_flight = 0, iterations = 0, timers = {}, ready = {}, real = unload() }, methods)
  self.loop = loop_of(self)
  package.loaded["wingman.loop"] = self.loop
  package.loaded["wingman.load.executor.native"] = {
    now_us = function() return self.now_us end, client = function() end, in_flight = function() return self.in_flight end,
  }
  return self
end

--- The real loop is in its place again.
function methods:remove()
  unload()
  for name, module in pairs(self.real) do package.loaded[name] = module end
end

local function next_timer(self)
  table.sort(self.timers, function(a, b) return a.at < b.at end)
  while self.timers[1] and not self.timers[1].fn do table.remove(self.timers, 1) end
  return self.timers[1]
end

local function run_timer(self, timer)
  table.remove(self.timers, 1)
  timer.fn()
end

--- One turn: what is to run soon runs, and the timers that are due. With nothing of that the
--- clock goes on to the next timer, which runs `late_us` after it was due. False when there
--- is none.
---@param late_us number
function methods:iterate(late_us)
  self.iterations = self.iterations + 1
  local ready = self.ready
  self.ready = {}
  for _, one in ipairs(ready) do one.fn(one.arg) end
  local timer = next_timer(self)
  local did_something = ready[1] ~= nil
  while timer and timer.at + late_us <= self.now_us do
    run_timer(self, timer)
    timer, did_something = next_timer(self), true
  end
  if did_something then return true end
  if not timer then return false end
  self.now_us = timer.at + late_us
  run_timer(self, timer)
  return true
end

return M
