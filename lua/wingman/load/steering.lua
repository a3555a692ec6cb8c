--- Changing a run while it runs: from a step of the script or over the control socket.
local M = {}

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
  return nil, refused or (name and ("no running scenario '%s' that can be told so"):format(name) or "no running scenario that can be told so")
end

--- No iteration begins until `resume`; scenarios with a duration end later by the pause.
---@param name string|nil  a scenario; nil: all
---@return boolean|nil, string|nil
function methods:pause(name)
  return each(self, name, function(scenario)
    scenario.executor:pause()
    scenario.paused = true
    return true
  end)
end

function methods:resume(name)
  return each(self, name, function(scenario)
    scenario.executor:resume()
    scenario.paused = nil
    return true
  end)
end

--- Iterations per second, of scenarios with an arrival rate.
---@param rate number
---@param name string|nil
---@return boolean|nil, string|nil
function methods:rate(rate, name)
  return each(self, name, function(scenario)
    if not scenario.executor.set_rate then return nil end
    return scenario.executor:set_rate(rate)
  end)
end

--- Users of externally controlled scenarios.
---@param count integer
---@param name string|nil
---@return boolean|nil, string|nil
function methods:vus(count, name)
  if type(count) ~= "number" or count < 0 or count % 1 ~= 0 then return nil, "a whole number of users is expected" end
  return each(self, name, function(scenario)
    if not scenario.executor.set_vus then return nil end
    return scenario.executor:set_vus(count)
  end)
end

-- At the prompt: not all that the run consists of.
function methods:__tostring() return "<steering of " .. tostring(self.run):sub(2) end

--- How things are: a table of plain values.
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
