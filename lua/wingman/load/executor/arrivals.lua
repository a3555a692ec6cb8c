--- The open models: iterations begin when the schedule says, whether those before have ended
--- or not. What is due is taken in batches, once a tick; no timer and no closure is made
--- per arrival. An arrival that finds every user within an iteration, and no more users
--- allowed, is dropped and counted; one that the generator itself was too slow for begins
--- late and is measured from its due time, or is dropped and counted when it is more than a
--- second (graceful_stop, when that is less) after the planned end.
local loop = require "wingman.loop"
local native = require "wingman.load.executor.native"
local schedule = require "wingman.load.executor.schedule"

local now_us = native.now_us
local max, min = math.max, math.min

local M = {}

--- Seconds between two looks at the schedule, when there is that much to do.
local TICK = 0.00025
--- Iterations do not keep the sockets waiting longer than this (us).
local SLICE_US = 1000

--- Iterations may begin that long after the planned end (us). What is due at the very end begins a tick
--- later: that is not late, graceful_stop = 0 or not. A generator that is a second behind at the end
--- will not catch up, and the run is not to go on for what it cannot do.
local LATEST_START = { least = 100000, most = 1000000 }

---@class wingman.load.arrivals
---@field schedule wingman.load.schedule
local methods = {}
methods.__index = methods

--- The largest number of users unless max_vus says otherwise.
local MAX_VUS = 1000

--- The largest number of users of the whole test.
---@param options table
function M.users(options) return max(options.max_vus or MAX_VUS, options.pre_allocated_vus or 1) end

---@param scenario wingman.load.scenario
---@param stages fun(options: table): table[]
function M.new(scenario, stages)
  local options = scenario.options
  local run = scenario.run
  local most = run.share(M.users(options))
  return setmetatable({
    scenario = scenario,
    stages = stages(options),
    most = max(1, most),
    first = min(max(1, most), run.share(options.pre_allocated_vus or 1)),
    free = {},
    slice_end = 0,
    late_us = max(min(options.graceful_stop * 1e6, LATEST_START.most), LATEST_START.least),
  }, methods)
end

--- The next iteration that is due, for the user that asks.
---@param now number us
---@return number|nil planned us
function methods:take(_, now)
  if now >= self.slice_end then return nil end
  return self.schedule:take(now)
end

--- The user has nothing to do.
function methods:idle(vu) self.free[#self.free + 1] = vu end

local function take_user(self)
  local free = self.free
  local vu = free[#free]
  if vu then
    free[#free] = nil
    return vu
  end
  if #self.scenario.users < self.most then return self.scenario:new_user() end
end

-- What most users are within an iteration for: ones that think are too few; others wait for
-- the cluster, or for room in the op log.
local function held_up_by(scenario)
  local asleep, most = 0, #scenario.users / 2
  for _, vu in ipairs(scenario.users) do
    if vu.sleeping then asleep = asleep + 1 end
  end
  if asleep > most then return "users" end
  return scenario.run.waiting_for_log > most and "log" or "cluster"
end

-- Every user is within an iteration: what is due now does not take place.
local function drop_due(self, now)
  local scenario, plan, count = self.scenario, self.schedule, 0
  while plan:take(now) do count = count + 1 end
  scenario:drop(count, held_up_by(scenario))
end

local function tick(self)
  self.timer = nil
  if self.stopped then return end
  local now, last_us = now_us(), self.schedule.ends_us + self.late_us
  if now >= last_us then return self:give_up() end
  self.slice_end = min(now + SLICE_US, last_us) -- so that users that ask need not look at both
  if self.schedule.next_us <= now then self.scenario.run:saw_loop_lateness(now - self.wanted_us) end
  while self.schedule.next_us <= now and now < self.slice_end do
    local vu = take_user(self)
    if not vu then
      drop_due(self, now)
      break
    end
    loop.wake(vu.task)
    now = now_us()
  end
  self:plan_tick()
end

--- The generator is hopelessly late: what has not begun by now does not take place.
function methods:give_up()
  self.scenario:drop(self.schedule:drop_rest(), "generator")
  self.scenario:stop()
end

--- Sets the timer for the next look; ends the scenario when nothing more will come.
function methods:plan_tick()
  if self.timer then self.timer:cancel() end
  self.timer = nil
  local now = now_us()
  local plan = self.schedule
  if now >= plan.ends_us and plan.next_us > now then return self.scenario:stop() end
  local behind = plan.next_us <= now
  local wait = (min(plan.next_us, plan.ends_us) - now) / 1e6
  wait = behind and 0 or max(TICK, wait)
  self.wanted_us = max(now, min(now + wait * 1e6, plan.ends_us))
  self.timer = loop.timer(wait, function() tick(self) end)
end

function methods:start(start_us)
  self.schedule = schedule.new(start_us, self.stages, self.scenario.run.shard)
  for i = 1, self.first do self.free[i] = self.scenario:new_user() end
  self.wanted_us = start_us
  tick(self)
end

function methods:stop()
  self.stopped, self.slice_end = true, 0
  if self.timer then self.timer:cancel() end
end

--- Steering: nothing is due while it is paused, and what is left comes later.
function methods:pause()
  if self.paused_us then return end
  self.paused_us, self.slice_end = now_us(), 0
  if self.timer then self.timer:cancel() end
  self.timer = nil
end

function methods:resume()
  if not self.paused_us then return end
  self.schedule:shift(now_us() - self.paused_us)
  self.paused_us = nil
  self:plan_tick()
end

--- The time of the schedule, which stands still during a pause.
function methods:time() return self.paused_us or now_us() end

---@param rate number  iterations per second of the whole test
function methods:set_rate(rate)
  self.schedule:set_rate(rate, self:time())
  if not self.paused_us then self:plan_tick() end
  return true
end

function methods:target() return self.schedule and self.schedule:rate_at(self:time()) or 0 end

return M
