--- One scenario of a run: its users, its figures, its executor.
local duration = require "wingman.base.duration"
local histogram = require "wingman.base.histogram"
local keys = require "wingman.load.input.keys"
local loop = require "wingman.loop"
local native = require "wingman.load.executor.native"
local nearest = require "wingman.base.nearest"
local vu_module = require "wingman.load.scenario.vu"

local M = {}

local TIME_MAX_US = 3600e6

--- Seconds: 31 years, whose microseconds a number still counts one by one.
local LONGEST = 1e9
M.LONGEST = LONGEST
--- Iterations a second: hundreds of times what a processor can begin.
local HIGHEST_RATE = 1e9
M.HIGHEST_RATE = HIGHEST_RATE
--- Users of a scenario. Each is a coroutine with its state, at least 1 KB: more would not fit in memory.
local MOST_VUS = 1e6
M.MOST_VUS = MOST_VUS

--- The modules of the executors, by name.
---@type table<string, string>
M.executors = {
  ["constant-vus"] = "wingman.load.executor.constant_vus",
  ["ramping-vus"] = "wingman.load.executor.ramping_vus",
  ["per-vu-iterations"] = "wingman.load.executor.per_vu_iterations",
  ["shared-iterations"] = "wingman.load.executor.shared_iterations",
  ["constant-arrival-rate"] = "wingman.load.executor.constant_arrival_rate",
  ["ramping-arrival-rate"] = "wingman.load.executor.ramping_arrival_rate",
  ["externally-controlled"] = "wingman.load.executor.externally_controlled",
}

---@class wingman.load.scenario
---@field name string
---@field run wingman.load.run
---@field options table
---@field exec fun(vu: wingman.load.vu)
---@field executor table
---@field users wingman.load.vu[]
---@field iterations integer   that came to their end
---@field dropped integer      that were due when no user was free, or that the generator was too slow for
---@field drops table<string, integer>  the same by what they were dropped for, see wingman.metrics.limit
---@field interrupted integer  that were given up at the end
---@field failures integer     that raised an error
---@field errors table<string, integer>  by code, of its users
---@field state "waiting"|"running"|"stopping"|"ended"
local methods = {}
methods.__index = methods

--- What every scenario may have besides its executor's options.
M.common = {
  executor = "string", exec = "function", start_time = "duration", graceful_stop = "duration", tags = "table",
  env = "table", keys = "table",
}

local function names_of(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = tostring(name) end
  table.sort(names)
  return table.concat(names, ", ")
end

-- Every option that a scenario with this executor may have.
local function known_options(executor)
  local known = {}
  for _, set in ipairs { executor.options, M.common } do
    for option in pairs(set) do known[option] = true end
  end
  return known
end

local function check_value(what, value, kind)
  if kind == "duration" then
    local seconds = duration.check(value, what)
    if seconds <= LONGEST then return seconds end
    error(("%s: at most %.0f seconds are possible, got %s"):format(what, LONGEST, tostring(value)), 0)
  end
  if kind == "count" then
    if type(value) == "number" and value >= 1 and value % 1 == 0 then return value end
    error(("%s: a whole number from 1 is expected, got %s"):format(what, tostring(value)), 0)
  end
  if kind == "amount" then -- 0 is one
    if type(value) == "number" and value >= 0 and value < math.huge then return value end
    error(("%s: a number from 0 is expected, got %s"):format(what, tostring(value)), 0)
  end
  if type(value) ~= kind then error(("%s: a %s is expected, got %s"):format(what, kind, type(value)), 0) end
  return value
end

local function check_stages(what, stages)
  if type(stages) ~= "table" or #stages == 0 then
    error(what .. ": a list of { duration = , target = } is expected", 0)
  end
  local checked = {}
  for i, stage in ipairs(stages) do
    local place = ("%s[%d]"):format(what, i)
    if type(stage) ~= "table" then error(place .. ": { duration = , target = } is expected", 0) end
    checked[i] = {
      seconds = check_value(place .. ".duration", stage.duration, "duration"),
      target = check_value(place .. ".target", stage.target, "amount"),
    }
  end
  return checked
end

-- Calls check(place, value) for each of the options `names`, and for the target of each stage.
local function each_level(what, options, names, stages, check)
  for _, name in ipairs(names) do
    if options[name] then check(what .. ": " .. name, options[name]) end
  end
  for i, stage in ipairs(stages or {}) do check(("%s: stages[%d].target"):format(what, i), stage.target) end
end

local function check_rates(what, options)
  local unit = options.time_unit or 1
  if unit == 0 then error(what .. ": time_unit: more than 0 seconds are expected", 0) end
  each_level(what, options, { "rate", "start_rate" }, options.stages, function(place, rate)
    if rate / unit <= HIGHEST_RATE then return end
    error(("%s: at most %.0f iterations per second are possible, got %g"):format(place, HIGHEST_RATE, rate / unit), 0)
  end)
end

local function check_users(what, options, stages)
  each_level(what, options, { "vus", "start_vus", "pre_allocated_vus", "max_vus" }, stages, function(place, count)
    if count <= MOST_VUS then return end
    error(("%s: at most %d users are possible, got %g"):format(place, MOST_VUS, count), 0)
  end)
  for _, option in ipairs { "vus", "pre_allocated_vus" } do
    if options.max_vus and (options[option] or 0) > options.max_vus then
      error(("%s: %s: at most max_vus, which is %d, are possible, got %d")
        :format(what, option, options.max_vus, options[option]), 0)
    end
  end
end

--- The options of a scenario, checked: durations in seconds. Raises for what is wrong.
---@param name string
---@param given table
---@return table options
function M.check(name, given)
  local what = ("scenario '%s'"):format(tostring(name))
  if type(name) ~= "string" or not name:match "^[%w_.-]+$" then
    error(what .. ": names are made of letters, digits, '_', '-' and '.'", 0)
  end
  if type(given) ~= "table" then error(what .. ": a table is expected", 0) end
  local path = M.executors[given.executor]
  if not path then
    error(("%s: executor: one of %s is expected, got %s%s"):format(what, names_of(M.executors), tostring(given.executor),
      nearest.hint(given.executor, M.executors)), 0)
  end
  local executor = require(path)
  local options = { executor = given.executor }
  for option, value in pairs(given) do
    local kind = M.common[option] or executor.options[option]
    if not kind then
      error(("%s: unknown option '%s'%s; %s takes %s, and all take %s"):format(what, tostring(option),
        nearest.hint(option, known_options(executor)), given.executor, names_of(executor.options), names_of(M.common)), 0)
    end
    local place = what .. ": " .. option
    options[option] = kind == "stages" and check_stages(place, value) or check_value(place, value, kind)
  end
  if options.keys then options.keys = keys.check(options.keys, what .. ": keys") end
  if not options.exec then error(what .. ": exec: a function is expected", 0) end
  for _, option in ipairs(executor.required) do
    if options[option] == nil then error(("%s: %s needs %s"):format(what, given.executor, option), 0) end
  end
  if executor.rate then check_rates(what, options) end
  check_users(what, options, not executor.rate and options.stages or nil)
  options.start_time, options.graceful_stop = options.start_time or 0, options.graceful_stop or 30
  options.module = executor
  options.seconds = executor.seconds(options)
  return options
end

---@param run wingman.load.run
---@param name string
---@param options table  from M.check
---@return wingman.load.scenario
function M.new(run, name, options)
  local tag = run.op_metrics:add_tag()
  if not tag then error("there are too many scenarios and groups", 0) end
  local lateness, durations = histogram.new(TIME_MAX_US, 3), histogram.new(TIME_MAX_US, 3)
  local tags = {}
  for _, given in ipairs { run.options.tags or {}, options.tags or {} } do
    for tag_name, value in pairs(given) do tags[tostring(tag_name)] = tostring(value) end
  end
  tags.scenario = name
  local self = setmetatable({
    run = run,
    name = name,
    options = options,
    tags = tags,
    env = options.env or {},
    exec = options.exec,
    tag = tag,
    groups = {},        -- name -> { tag, histogram of durations }
    context = run.context,
    lateness_histogram = lateness,
    duration_histogram = durations,
    lateness = native.histogram(lateness),
    durations = native.histogram(durations),
    keys = options.keys and keys.new(options.keys, run.shard, ("scenario '%s': keys"):format(name)),
    users = {},
    most_users = 0,
    iterations = 0,
    dropped = 0,
    drops = {},
    interrupted = 0,
    failures = 0,
    errors = {},        -- code -> count
    state = "waiting",
    ended = loop.future(),
  }, methods)
  run.scenario_of_tag[tag] = self
  self.executor = options.module.new(self)
  return self
end

--- A new user of this scenario.
---@return wingman.load.vu
function methods:new_user()
  local vu = vu_module.new(self, self.run:next_vu_id())
  self.users[#self.users + 1] = vu
  self.most_users = math.max(self.most_users, #self.users)
  return vu
end

--- How many users are within an iteration.
function methods:busy()
  local n = 0
  for _, vu in ipairs(self.users) do
    if vu.busy then n = n + 1 end
  end
  return n
end

--- An iteration raised an error: a wingman.error is what can happen to a correct
--- script and is counted by its code; anything else is a mistake in the script.
function methods:failed(vu, err)
  self.failures = self.failures + 1
  if err.traceback then return self.run:script_failed(self, vu, err.traceback) end
  self.run:saw_error(err, self)
end

--- Iterations that were due and do not take place.
---@param count integer
---@param cause "generator"|"cluster"|"users"|"log"
function methods:drop(count, cause)
  self.dropped = self.dropped + count
  self.drops[cause] = (self.drops[cause] or 0) + count
end

--- The tag of operations in a group.
---@param name string
---@return integer
function methods:group_tag(name)
  local group = self.groups[name]
  if group then return group.tag end
  local tag = self.run.op_metrics:add_tag()
  if not tag then error(("vu:group '%s': there are too many scenarios and groups"):format(name), 3) end
  group = { tag = tag, durations = histogram.new(TIME_MAX_US, 3) }
  self.groups[name], self.run.scenario_of_tag[tag] = group, self
  return tag
end

function methods:group_ended(name, us) self.groups[name].durations:record(us) end

--- Begins at the scenario's start time.
---@param now_us number
function methods:start(now_us)
  self.state = "running"
  self.started_us = now_us
  self.executor:start(now_us)
end

-- Iterations that were not over in time are given up: their coroutines stay where they are.
local function give_up(self)
  for _, vu in ipairs(self.users) do
    if vu.busy then self.interrupted = self.interrupted + 1 end
    vu.given_up = true
  end
end

local function end_now(self)
  self.state = "ended"
  self.ended_us = native.now_us()
  self.ended:resolve(true)
end

--- No further iteration begins; those under way have the time of graceful_stop. Safe twice.
---@param grace number|nil  seconds, in place of the option
function methods:stop(grace)
  if self.state == "ended" or self.state == "stopping" then return end
  local was_running = self.state == "running"
  self.state = "stopping"
  self.stopped_us = native.now_us()
  if was_running then self.executor:stop() end
  loop.spawn(function()
    loop.wait_until(function() return self:busy() == 0 end, grace or self.options.graceful_stop)
    give_up(self)
    end_now(self)
  end)
end

return M
