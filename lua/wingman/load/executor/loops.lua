--- The closed models: a number of users, each of which begins its next iteration when its
--- last one has ended. An iteration that never waits would keep the sockets waiting, so a
--- user lets the loop run once its slice is used up.
local loop = require "wingman.loop"
local native = require "wingman.load.executor.native"

local now_us = native.now_us

local M = {}

--- Iterations of all users together between two iterations of the loop (us).
local SLICE_US = 1000
--- The same when nothing is under way to the cluster: what was written until then leaves,
--- and the cluster has something to do while the rest is written. In batches of 10 to one
--- node 50 to 70 us give a quarter more operations a second than SLICE_US, 15 and 200 less.
local FIRST_SLICE_US = 60

---@class wingman.load.loops
---@field seconds number|nil      how long the users work; nil: until there is nothing for them
---@field max_seconds number|nil  then, how long at most
---@field at_least integer|nil    users, however few this shard's part is
---@field allows fun(self: wingman.load.loops, vu: wingman.load.vu, now_us: number): boolean  may the user begin another iteration?
local methods = {}
methods.__index = methods
M.methods = methods

---@param scenario wingman.load.scenario
---@param fields table  allows, and what it needs; target_at(now_us) for a number of users that changes
function M.new(scenario, fields)
  fields.scenario = scenario
  fields.active = 0     -- users numbered up to here may work
  return setmetatable(fields, methods)
end

local function is_nothing_sent(self)
  return not self.client.closed and native.in_flight(self.core_client) == 0
end

--- The next iteration of a user: now, unless it has none, or others have waited enough.
function methods:take(vu, now)
  if self.stopped or self.paused or vu.number > self.active or not self:allows(vu, now) then return nil end
  if now >= self.slice_end then
    if self.loop_iteration == loop.iterations() then
      vu.wants_turn = true
      return nil
    end
    -- The first of a loop iteration opens the slice: one that has let the loop run, or whose
    -- iteration had to wait.
    self.loop_iteration, self.slice_end = loop.iterations(), now + (is_nothing_sent(self) and FIRST_SLICE_US or SLICE_US)
  end
  if self.counted then self:counted(vu) end
  return now
end

local plan_queue

-- Users that let the loop run stand in a queue, and are asked again while a slice lasts:
-- with thousands of them each loop iteration is for a few.
local function serve_queue(self)
  self.is_queue_planned = false
  local vu = self.first_waiting
  while vu and not (self.loop_iteration == loop.iterations() and now_us() >= self.slice_end) do
    self.first_waiting, vu.next_waiting = vu.next_waiting, nil
    loop.wake(vu.task)
    vu = self.first_waiting
  end
  if vu then plan_queue(self) end
end

function plan_queue(self)
  if self.is_queue_planned then return end
  self.is_queue_planned = true
  loop.soon(serve_queue, self)
end

local function enqueue(self, vu)
  if self.first_waiting then self.last_waiting.next_waiting = vu else self.first_waiting = vu end
  self.last_waiting = vu
  plan_queue(self)
end

function methods:idle(vu)
  if vu.wants_turn then
    vu.wants_turn = false
    return enqueue(self, vu)
  end
  vu.idle = true
  self:check_end()
end

--- Ends the scenario once no user will begin an iteration any more.
function methods:check_end()
  if self.stopped or self.paused or self.seconds and now_us() < self.ends_us then return end
  for _, vu in ipairs(self.scenario.users) do
    if not vu.idle then return end
  end
  self.scenario:stop()
end

--- Lets the users numbered 1 .. count work (of this shard's), and no others.
---@param count integer
function methods:set_active(count)
  self.active = count
  for i = #self.scenario.users + 1, count do
    local vu = self.scenario:new_user()
    vu.number, vu.idle = i, true
  end
  for i = 1, count do
    local vu = self.scenario.users[i]
    if vu.idle then
      vu.idle = false
      enqueue(self, vu)
    end
  end
end

function methods:plan_end()
  self.end_timer = loop.timer((self.ends_us - now_us()) / 1e6, function() self.scenario:stop() end)
end

function methods:start(start_us)
  self.start_us, self.slice_end = start_us, 0
  self.client = self.scenario.run.client
  self.core_client = native.client(self.client.core)
  self.ends_us = start_us + (self.seconds or self.max_seconds) * 1e6
  self:plan_end()
  self:follow_target()
  self:check_end() -- a shard may have no users
end

--- Brings the number of users in line with the target, again and again while it changes.
function methods:follow_target()
  if self.stopped then return end
  local share = self.scenario.run.share
  self:set_active(math.max(self.at_least or 0, share(math.floor(self:target() + 1e-9))))
  if self.changes_until and now_us() < self.changes_until then
    self.target_timer = loop.timer(0.05, function() self:follow_target() end)
  end
end

function methods:target() return self:target_at(now_us()) end

function methods:stop()
  self.stopped = true
  for _, name in ipairs { "end_timer", "target_timer" } do
    if self[name] then self[name]:cancel() end
  end
end

--- Steering: no iteration begins while it is paused, and the end comes later.
function methods:pause()
  if self.paused then return end
  self.paused, self.paused_us = true, now_us()
  self.end_timer:cancel()
  if self.target_timer then self.target_timer:cancel() end
end

function methods:resume()
  if not self.paused then return end
  self.paused = false
  for _, name in ipairs { "start_us", "ends_us", "changes_until" } do
    if self[name] then self[name] = self[name] + now_us() - self.paused_us end
  end
  self:plan_end()
  self:follow_target()
end

return M
