--- Load tests as scripts. A script makes a test and returns it; `wingman run SCRIPT` runs
--- it, shows it, writes its report, and ends with an exit code that says how it went.
---
---   local load = require "wingman.load"
---   return load.test {
---     cluster   = os.getenv "WINGMAN_CLUSTER" or "sim://3",
---     scenarios = {
---       writes = { executor = "constant-arrival-rate", rate = 20000, duration = "30s",
---                  keys = { count = 10000, distribution = "zipf" },
---                  exec = function(vu) vu:map "bench":set(vu:key(), { v = vu.iteration }) end },
---     },
---     thresholds = { ["op_latency{scenario:writes}"] = { "p(99)<50ms" }, ops_unacknowledged = { "count==0" } },
---   }
local data = require "wingman.load.input.data"
local builtin_metrics = require "wingman.metrics.builtin"
local metrics = require "wingman.metrics.registry"
local options_module = require "wingman.load.options"
local payload = require "wingman.load.input.payload"
local script = require "wingman.load.input.script"
local sizes = require "wingman.load.input.sizes"
local usage_error = require "wingman.base.usage_error"

local M = {}

---@class wingman.load.test
---@field options table  checked
---@field custom table<string, { type: string, unit: string }>  the script's own metrics, by name
local test_class = {}
test_class.__index = test_class

-- Metrics of the script, until a run gives them their place.
local custom = {}

--- Internal: whether a value is a load test.
---@param value any
---@return boolean
function M.is_test(value) return getmetatable(value) == test_class end

-- The line of the script's only `return load.test { … }`, which is a tail call and so leaves
-- no level of the script to point at; "" when it is not known.
local function place_of_tail_call()
  local found, number = nil, 0
  for line in (script.text or ""):gmatch "([^\n]*)\n?" do
    number = number + 1
    if line:match "^%s*return%s+[%w_.]*%.test%s*[%({]" then
      if found then return "" end
      found = number
    end
  end
  return found and ("%s:%d: "):format(script.chunk_name:sub(2), found) or ""
end

local made = 0

--- Internal: how many tests were made.
---@return integer
function M.made() return made end

--- Makes a load test from a table (docs/load-testing.md). Raises for an option that is wrong.
---@param given wingman.load.test_options
---@return wingman.load.test
function M.test(given)
  local ok, checked = pcall(options_module.check, given, custom)
  if not ok then
    local caller = debug.getinfo(2, "S")
    local is_script = caller and caller.what ~= "C" and not caller.source:find "wingman/command/run%.lua$"
    usage_error.raise("load.test: " .. tostring(checked), 2, not is_script and place_of_tail_call() or nil)
  end
  made = made + 1
  return setmetatable({ options = checked, custom = custom }, test_class)
end

---@class wingman.load.own_metric
local metric_class = {}
metric_class.__index = metric_class

-- A metric of the script: it records into the run that is under way. Callers return what it
-- returns, so that the script is one level up.
local function declare(kind, name, unit)
  if type(name) ~= "string" or not name:match "^[%a_][%w_]*$" then
    usage_error.raise(("load.%s: a name of letters, digits and '_' is expected"):format(kind), 2)
  end
  if unit ~= nil and type(unit) ~= "string" then
    usage_error.raise(("load.%s: '%s': a unit is a text, got %s"):format(kind, name, type(unit)), 2)
  end
  if builtin_metrics.builtin[name] then usage_error.raise(("load.%s: '%s' is a built-in metric"):format(kind, name), 2) end
  local known = custom[name]
  if known and known.type ~= kind then usage_error.raise(("load.%s: '%s' is a %s"):format(kind, name, known.type), 2) end
  known = known or setmetatable({ name = name, type = kind, unit = unit or "" }, metric_class)
  custom[name] = known
  return known
end

-- The total's metric, and that of the tags: a total holds every sample.
local function places(self, tags)
  local registry = self.registry
  if not registry then error(("metric '%s': only a run records it"):format(self.name), 3) end
  return self.metric, tags and registry:get(self.type, self.name, self.unit, tags)
end

local function check_sample(self, method, value, tags)
  if tags ~= nil and type(tags) ~= "table" then
    error(("%s '%s': tags are a table, got %s"):format(self.type, self.name, type(tags)), 3)
  end
  if (self.type == "gauge") ~= (method == "set") then
    error(("%s '%s': it has no %s; use %s"):format(self.type, self.name, method, method == "set" and "add" or "set"), 3)
  end
  local wrong = metrics.refusal(self.type, value)
  if wrong then error(("%s '%s': %s"):format(self.type, self.name, wrong), 3) end
end

--- Adds a sample: to a counter a number (default 1), to a trend a value in its unit, to a rate true or
--- false. A sample with tags counts in the whole metric and in its part with these tags.
---@param value any
---@param tags table<string, string>|nil
function metric_class:add(value, tags)
  if value == nil and self.type == "counter" then value = 1 end
  check_sample(self, "add", value, tags)
  local total, tagged = places(self, tags)
  total:add(value)
  if tagged then tagged:add(value) end
end

--- Sets the value of a gauge: of the whole metric, and with tags also of its part with these tags.
---@param value number
---@param tags table<string, string>|nil
function metric_class:set(value, tags)
  check_sample(self, "set", value, tags)
  local total, tagged = places(self, tags)
  total:set(value)
  if tagged then tagged:set(value) end
end

--- A custom counter, such as load.counter "orders". The same name gives the same metric.
---@param name string  letters, digits and '_'
---@param unit string|nil
---@return wingman.load.own_metric
function M.counter(name, unit) return declare("counter", name, unit) end
--- A custom gauge: a value that goes up and down, with its minimum and maximum.
---@param name string  letters, digits and '_'
---@param unit string|nil
---@return wingman.load.own_metric
function M.gauge(name, unit) return declare("gauge", name, unit) end
--- A custom rate: the share of its samples that were true.
---@param name string  letters, digits and '_'
---@return wingman.load.own_metric
function M.rate(name) return declare("rate", name) end
--- A custom trend: a distribution, such as load.trend("checkout", "s"). Times for the units "us", "ms" and
--- "s"; whole numbers for others.
---@param name string
---@param unit string|nil  default "s"
---@return wingman.load.own_metric
function M.trend(name, unit) return declare("trend", name, unit or "s") end

--- Rows of a CSV, JSON or NDJSON file, see wingman.load.input.data.
M.data = data.open
--- Values made anew for each iteration, see wingman.load.input.payload.
M.template = payload.template
--- Sizes from a distribution, see wingman.load.input.sizes.
M.sizes = sizes

--- Internal: gives the script's metrics their place in a run.
---@param registry wingman.load.registry
function M.attach(registry)
  for _, metric in pairs(custom) do
    metric.registry = registry
    metric.metric = registry:get(metric.type, metric.name, metric.unit)
  end
end

return M
