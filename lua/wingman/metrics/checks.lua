--- The checks of a run: a rate of all, of each scenario, and of each check of a scenario.
local M = {}

---@class wingman.load.checks
---@field list { name: string, passed: integer, failed: integer }[]  ordered by their first use
---@field package all wingman.load.metric
---@field package own table<wingman.load.scenario, table>
local methods = {}
methods.__index = methods

---@param registry wingman.load.registry
---@return wingman.load.checks
function M.new(registry)
  return setmetatable({ registry = registry, list = {}, by_name = {}, all = registry:rate "checks", own = {} }, methods)
end

local function entry(self, name)
  local one = self.by_name[name]
  if one then return one end
  one = { name = name, passed = 0, failed = 0 }
  self.by_name[name], self.list[#self.list + 1] = one, one
  return one
end

-- The rates of a scenario: `all`, and by the check's name.
local function rates_of(self, scenario)
  local rates = self.own[scenario]
  if rates then return rates end
  rates = { all = self.registry:rate("checks", scenario.tags), by_name = {} }
  self.own[scenario] = rates
  return rates
end

local function rate_of(self, rates, scenario, name)
  local rate = rates.by_name[name]
  if rate then return rate end
  local tags = { check = name }
  for tag, value in pairs(scenario.tags) do tags[tag] = value end
  rate = self.registry:rate("checks", tags)
  rates.by_name[name] = rate
  return rate
end

--- Counts a check of a scenario's user; gives `passed` back.
---@param scenario wingman.load.scenario
---@param name string
---@param passed boolean
---@return boolean
function methods:add(scenario, name, passed)
  local one, rates = entry(self, name), rates_of(self, scenario)
  if passed then one.passed = one.passed + 1 else one.failed = one.failed + 1 end
  self.all:add(passed)
  rates.all:add(passed)
  rate_of(self, rates, scenario, name):add(passed)
  return passed
end

return M
