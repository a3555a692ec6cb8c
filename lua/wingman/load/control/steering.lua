--- Controls a running load test, for its planned faults and over the control socket.
local log_levels = require "wingman.loop.log_levels"
local rules = require "wingman.load.executor.rules"

local M = {}

-- Neither NaN nor -0.
local function is_amount(value, most)
  return type(value) == "number" and value >= 0 and value <= most and 1 / value > 0
end

--- Whether a scenario accepts this rate; nil and why not.
---@param rate any
---@return boolean|nil, string|nil
function M.check_rate(rate)
  if is_amount(rate, rules.HIGHEST_RATE) then return true end
  return nil, ("rate: a number of iterations per second, 0 or more and at most %.0f, is expected, got %s")
    :format(rules.HIGHEST_RATE, tostring(rate))
end

--- Whether a scenario accepts this number of users; nil and why not.
---@param count any
---@return boolean|nil, string|nil
function M.check_vus(count)
  if is_amount(count, rules.MOST_VUS) and count % 1 == 0 then return true end
  return nil, ("vus: a whole number of users, 0 or more and at most %d, is expected, got %s")
    :format(rules.MOST_VUS, tostring(count))
end

--- Whether there is this level of the log; nil and why not.
---@param level any
---@return boolean|nil, string|nil
function M.check_level(level)
  if log_levels.rank[level] then return true end
  return nil, "log: debug, info, warn or error is expected"
end

---@class wingman.load.steering
---@field private run wingman.load.run
local methods = {}
methods.__index = methods

---@param run wingman.load.run
---@return wingman.load.steering
function M.new(run) return setmetatable({ run = run }, methods) end

local function each(self, name, fn)
  local touched, refused = 0, nil
  for _, scenario in ipairs(self.run.scenarios) do
    if (name == nil or scenario.name == name) and scenario.state == "running" then
      local ok, err = fn(scenario)
      if ok then touched = touched + 1 elseif err then refused = ("%s: %s"):format(scenario.name, err) end
    end
  end
  if touched > 0 then return true end
  return nil, refused or (name and ("no running scenario '%s' that accepts this"):format(name) or "no running scenario that accepts this")
end

--- Begins no iterations until `resume`. Scenarios with a duration end later by the length of the pause.
---@param name string|nil  a scenario; nil: all
---@return boolean|nil, string|nil
function methods:pause(name)
  return each(self, name, function(scenario)
    scenario.executor:pause()
    scenario.paused = true
    return true
  end)
end

--- Ends a pause.
---@param name string|nil  a scenario; nil: all
---@return boolean|nil, string|nil
function methods:resume(name)
  return each(self, name, function(scenario)
    scenario.executor:resume()
    scenario.paused = nil
    return true
  end)
end

--- Sets the iterations per second of scenarios with an arrival rate.
---@param rate number
---@param name string|nil
---@return boolean|nil, string|nil
function methods:rate(rate, name)
  local ok, why = M.check_rate(rate)
  if not ok then return nil, why end
  return each(self, name, function(scenario)
    if not scenario.executor.set_rate then return nil end
    return scenario.executor:set_rate(rate)
  end)
end

--- Sets the number of users of externally controlled scenarios.
---@param count integer
---@param name string|nil
---@return boolean|nil, string|nil
function methods:vus(count, name)
  local ok, why = M.check_vus(count)
  if not ok then return nil, why end
  return each(self, name, function(scenario)
    if not scenario.executor.set_vus then return nil end
    return scenario.executor:set_vus(count)
  end)
end

--- Sets the level of the clients' log lines that are shown.
---@param level "debug"|"info"|"warn"|"error"
---@return boolean|nil, string|nil
function methods:log(level)
  local ok, why = M.check_level(level)
  if not ok then return nil, why end
  self.run.log_level = level
  return true
end

-- At the prompt: not all that the run consists of.
function methods:__tostring() return "<steering of " .. tostring(self.run):sub(2) end

--- The progress of the run, as a table of plain values.
function methods:status()
  local run = self.run
  local scenarios = {}
  for i, scenario in ipairs(run.scenarios) do
    scenarios[i] = {
      name = scenario.name, executor = scenario.options.executor, state = scenario.paused and "paused" or scenario.state,
      iterations = scenario.iterations, dropped = scenario.dropped, users = #scenario.users, busy = scenario:busy(),
      target = scenario.state == "running" and scenario.executor:target() or 0,
    }
  end
  return {
    name = run.options.name, elapsed_s = run:elapsed(), planned_s = run.planned_s, scenarios = scenarios,
    log_depth = run.client:pending_ops(), state = run.state,
  }
end

return M
