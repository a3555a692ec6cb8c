--- When the iterations of an open model are meant to begin. Arrival k (from 0) comes when
--- the integral of the rate reaches k, so a plan is exact: 50,000 a second for 30 s are
--- 1,500,000 arrivals. Shard i of n takes the arrivals i, i + n, i + 2n …, at their times
--- in the whole plan. Times are microseconds of the monotonic clock.
local M = {}

---@class wingman.load.schedule
---@field next_us number  when the next arrival is due; math.huge: there is none
---@field ends_us number  when the plan ends
---@field private number integer  of the next arrival, in the whole plan
---@field private last integer    one more than the number of the last
---@field private stages table[]
local methods = {}
methods.__index = methods

-- The time within a stage at which `n` arrivals of it have come (seconds): the rate goes
-- in a line from `from` to `to`. The root is written so that a flat line needs no case.
local function time_within(stage, n)
  if n <= 0 then return 0 end
  local slope = (stage.to - stage.from) / stage.seconds
  return 2 * n / (stage.from + math.sqrt(math.max(0, stage.from * stage.from + 2 * slope * n)))
end

local function plan(self, start_us, first, stages)
  local begins, number = start_us, first
  self.stages, self.stage = {}, 1
  for i, given in ipairs(stages) do
    local stage = { begins = begins, seconds = given.seconds, from = given.from, to = given.to, first = number }
    number = number + (given.from + given.to) / 2 * given.seconds
    stage.last = number
    stage.flat = given.from == given.to
    begins = begins + given.seconds * 1e6
    self.stages[i] = stage
  end
  self.ends_us = begins
  self.last = math.ceil(number - 1e-6)
end

-- When arrival `number` comes; arrivals ask in ascending order.
local function time_of(self, number)
  local stage = self.stages[self.stage]
  while number >= stage.last and self.stages[self.stage + 1] do
    self.stage = self.stage + 1
    stage = self.stages[self.stage]
  end
  if stage.flat then return stage.begins + (number - stage.first) / stage.from * 1e6 end
  return stage.begins + time_within(stage, number - stage.first) * 1e6
end

--- A plan that begins at `start_us`.
---@param start_us number
---@param stages { seconds: number, from: number, to: number }[]  arrivals per second, of the whole plan
---@param shard { index: integer, count: integer }
---@return wingman.load.schedule
function M.new(start_us, stages, shard)
  local self = setmetatable({ number = shard.index, step = shard.count, shard = shard.index, rate = stages[1].from }, methods)
  plan(self, start_us, 0, stages)
  self.next_us = self.number < self.last and time_of(self, self.number) or math.huge
  return self
end

--- How many arrivals the plan has for this shard.
---@return integer
function methods:total() return math.max(0, math.ceil((self.last - self.shard) / self.step)) end

--- Takes the next arrival if it is due: when it was meant. Nil when none is.
---@param now_us number
---@return number|nil
function methods:take(now_us)
  local at = self.next_us
  if at > now_us then return nil end
  local number = self.number + self.step
  self.number = number
  local stage = self.stages[self.stage]
  if stage.flat and number < stage.last and number < self.last then
    self.next_us = stage.begins + (number - stage.first) / stage.from * 1e6
  else
    self.next_us = number < self.last and time_of(self, number) or math.huge
  end
  return at
end

--- Takes all that is left, due or not.
---@return integer how many those were
function methods:drop_rest()
  local left = math.max(0, math.ceil((self.last - self.number) / self.step))
  self.number, self.next_us = self.number + left * self.step, math.huge
  return left
end

--- The planned rate at a time, of the whole plan.
---@param now_us number
---@return number per second
function methods:rate_at(now_us)
  for _, stage in ipairs(self.stages) do
    local within = (now_us - stage.begins) / 1e6
    if within < stage.seconds then
      return stage.from + (stage.to - stage.from) * math.max(0, within) / stage.seconds
    end
  end
  return 0
end

--- Goes on with another rate until the planned end. What is due by now stays due, and the
--- next arrival comes when the integral of the rate reaches it. Shards change together as
--- well as their clocks agree; each keeps its residue.
---@param rate number  per second, of the whole plan
---@param now_us number
function methods:set_rate(rate, now_us)
  if now_us >= self.ends_us then return end
  -- The stage of the next arrival need not have begun.
  local k = self.stage
  while k > 1 and self.stages[k].begins > now_us do k = k - 1 end
  local begins, first, stages = math.min(now_us, self.stages[k].begins), self.stages[k].first, {}
  for i = k, #self.stages do
    local stage = self.stages[i]
    local seconds = math.min(stage.seconds, (now_us - stage.begins) / 1e6)
    if seconds > 0 then
      local to = stage.from + (stage.to - stage.from) * seconds / stage.seconds
      stages[#stages + 1] = { seconds = seconds, from = stage.from, to = to }
    end
  end
  stages[#stages + 1] = { seconds = (self.ends_us - now_us) / 1e6, from = rate, to = rate }
  plan(self, begins, first, stages)
  self.next_us = self.number < self.last and time_of(self, self.number) or math.huge
end

--- Puts what is left off by some time, after a pause.
---@param us number
function methods:shift(us)
  for _, stage in ipairs(self.stages) do stage.begins = stage.begins + us end
  self.ends_us = self.ends_us + us
  self.next_us = self.next_us + us
end

return M
