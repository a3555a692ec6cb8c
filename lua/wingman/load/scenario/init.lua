--- One scenario of a run: its users, its figures, its executor.
local check_options = require("wingman.options.check").check
local histogram = require "wingman.base.histogram"
local keys = require "wingman.load.input.keys"
local loop = require "wingman.loop"
local native = require "wingman.load.executor.native"
local rules = require "wingman.load.executor.rules"
local sorted = require "wingman.base.sorted"
local value_of = require "wingman.options.value"
local vu_module = require "wingman.load.scenario.vu"

local M = {}

local TIME_MAX_US = 3600e6

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
---@type table<string, wingman.option_rule>
M.common = {
  executor = { type = "string", required = true, one_of = sorted.keys(M.executors), about = "the rule by which iterations begin" },
  exec = { type = "function", required = true, about = "one iteration" },
  start_time = rules.time "time from the start of the test to that of the scenario; default 0",
  graceful_stop = rules.time "time that iterations under way have to finish at the end; default 30s",
  tags = { type = "table", about = "name -> value, for all samples of the scenario" },
  env = { type = "table", about = "a table of the script's own, which is vu.env" },
  keys = { type = "table", group = keys.options, about = "the keys that vu:key chooses from, and how" },
}

-- Every option that a scenario with this executor may have.
local function rules_of(executor)
  local all = {}
  for _, set in ipairs { executor.options, M.common } do
    for option, rule in pairs(set) do all[option] = rule end
  end
  return all
end

-- What is begun in a time unit may be too much for a second.
local function check_rates(what, options)
  local unit = options.time_unit or 1
  if unit == 0 then error(what .. ": option time_unit: more than 0 seconds are expected", 0) end
  local function check(option, rate)
    if not rate or rate / unit <= rules.HIGHEST_RATE then return end
    error(("%s: option %s: at most %.0f iterations per second are possible, got %g"):format(what, option, rules.HIGHEST_RATE,
      rate / unit), 0)
  end
  check("rate", options.rate)
  check("start_rate", options.start_rate)
  for i, stage in ipairs(options.stages or {}) do check(("stages[%d].target"):format(i), stage.target) end
end

local function check_users(what, options)
  for _, option in ipairs { "vus", "pre_allocated_vus" } do
    if options.max_vus and (options[option] or 0) > options.max_vus then
      error(("%s: option %s: at most max_vus, which is %d, are possible, got %d")
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
  if type(given) ~= "table" then error(what .. ": a table of options is expected, got " .. type(given), 0) end
  local is_known, wrong = value_of.read(M.common.executor, given.executor)
  if not is_known then error(("%s: option executor: %s"):format(what, wrong), 0) end
  local executor = require(M.executors[given.executor])
  local options = check_options(rules_of(executor), given, what, 0)
  wrong = options.keys and keys.problem(options.keys)
  if wrong then error(("%s: option keys.%s"):format(what, wrong), 0) end
  if executor.rate then check_rates(what, options) end
  check_users(what, options)
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
  self.groups[name], self.run.scenario_of_tag[tag], self.run.group_of_tag[tag] = group, self, name
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
