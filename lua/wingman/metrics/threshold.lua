--- Thresholds: "p(99)<50ms" on a metric, and whether a run keeps them.
local check_options = require("wingman.options.check").check
local duration = require "wingman.base.duration"
local metrics = require "wingman.metrics.registry"
local selector = require "wingman.metrics.selector"
local sorted = require "wingman.base.sorted"

local M = {}

local comparisons = {
  ["<"] = function(a, b) return a < b end,
  ["<="] = function(a, b) return a <= b end,
  [">"] = function(a, b) return a > b end,
  [">="] = function(a, b) return a >= b end,
  ["=="] = function(a, b) return a == b end,
  ["!="] = function(a, b) return a ~= b end,
}

local units = { us = 1e-6, ms = 1e-3, s = 1 }

---@class wingman.load.threshold
---@field metric string       as it was written, with its selector
---@field name string
---@field tags table<string, string>
---@field expression string   without white space
---@field statistic string    "p", "avg", "min", "max", "med", "count", "rate", "value"
---@field percentile number|nil
---@field compare string
---@field limit number        a time in seconds
---@field has_unit boolean
---@field abort boolean       ends the run when it is crossed
---@field delay number        seconds after the start in which it does not end the run
---@field sum wingman.load.metric|nil  what its metrics add up to, when they are several

local statistics = { avg = true, min = true, max = true, med = true, count = true, rate = true, value = true }

-- "p(99.9)<200ms" -> the fields of a threshold.
local function parse(expression, metric)
  local text = expression:gsub("%s+", "")
  local left, compare, right = text:match "^([%w%.%(%)]+)([<>=!]=?)([%d%.][%w%.]*)$"
  local what = ("threshold '%s' on '%s'"):format(expression, metric)
  if not left or not comparisons[compare] then
    error(what .. ": something like p(99)<50ms, avg<10ms, count==0, rate>0.95 is expected", 0)
  end
  local percentile = left:match "^p%(([%d.]+)%)$"
  local statistic = percentile and "p" or left
  percentile = tonumber(percentile)
  if statistic == "p" and not (percentile and percentile <= 100) then error(what .. ": percentiles are 0 to 100", 0) end
  if statistic ~= "p" and not statistics[statistic] then
    error(("%s: '%s' is none of p(N), avg, min, max, med, count, rate, value"):format(what, left), 0)
  end
  local limit, has_unit = duration.parse(right), right:find "%a" ~= nil
  if not limit then error(what .. ": a number is expected, with us, ms or s for a time", 0) end
  return {
    expression = text, statistic = statistic, percentile = percentile, compare = compare,
    limit = limit, has_unit = has_unit,
  }
end

-- A table without a list in it, or with more than the list, would be a threshold that nobody looks at.
local function check_list(expressions, metric)
  for key in pairs(expressions) do
    if type(key) ~= "number" then
      error(("threshold on '%s': a list of expressions like { \"p(99)<50ms\" } is expected, and it has the key '%s'")
        :format(metric, tostring(key)), 0)
    end
  end
  if #expressions == 0 then error(("threshold on '%s': the list has no expression"):format(metric), 0) end
end

--- What a threshold that is a table has besides its expression.
---@type table<string, wingman.option_rule>
M.options = {
  abort = { type = "boolean", default = false, about = "end the run as soon as the threshold fails" },
  delay = { type = "duration", default = 0, min = 0, about = "with abort: time after the start in which it does not end the run" },
}

local function read_options(entry, metric)
  local given = {}
  for field, value in pairs(entry) do
    if field ~= 1 then given[field] = value end
  end
  return check_options(M.options, given, ("threshold on '%s'"):format(metric), 0)
end

--- The thresholds of a test's table { [metric] = { expressions } }, each one a string or
--- { "p(99)<50ms", abort = true, delay = "10s" }; raises for what cannot be read.
---@param given table
---@return wingman.load.threshold[]
function M.read(given)
  local list = {}
  for metric in pairs(given) do
    if type(metric) ~= "string" then error("thresholds: the keys are names of metrics", 0) end
  end
  for _, metric in ipairs(sorted.keys(given)) do
    local name, tags = selector.parse(metric)
    if not name then error(("threshold on '%s': %s"):format(metric, tags), 0) end
    local expressions = given[metric]
    if type(expressions) == "string" then expressions = { expressions } end
    if type(expressions) ~= "table" then error(("threshold on '%s': a list of expressions is expected"):format(metric), 0) end
    if type(expressions[1]) == "string" and (expressions.abort ~= nil or expressions.delay ~= nil) then expressions = { expressions } end
    check_list(expressions, metric)
    for _, entry in ipairs(expressions) do
      if type(entry) == "string" then entry = { entry } end
      if type(entry) ~= "table" or type(entry[1]) ~= "string" then
        error(("threshold on '%s': a string like \"p(99)<50ms\" is expected"):format(metric), 0)
      end
      local options = read_options(entry, metric)
      local threshold = parse(entry[1], metric)
      threshold.metric, threshold.name, threshold.tags = metric, name, tags
      threshold.abort, threshold.delay = options.abort, options.delay
      list[#list + 1] = threshold
    end
  end
  return list
end

local function has_all(tags, wanted)
  for tag, value in pairs(wanted) do
    if tags[tag] ~= value then return false end
  end
  return true
end

--- The metrics that a threshold looks at: of those with its tags the ones that are no part of
--- another of them, so that nothing is counted twice. One with further tags than another is a
--- part of it, as a group is of its scenario. So the tags of a scenario need not be repeated
--- in a selector that names it, and a tag that scenarios share is about all of them. Without
--- tags it is the total.
---@param list table[]  metrics of wingman.metrics.registry, or of a document
---@param threshold wingman.load.threshold
---@return table[]
function M.select(list, threshold)
  local matching, selected = {}, {}
  for _, metric in ipairs(list) do
    local is_meant = metric.name == threshold.name and has_all(metric.tags, threshold.tags)
    if is_meant and (next(threshold.tags) ~= nil or next(metric.tags) == nil) then matching[#matching + 1] = metric end
  end
  for _, metric in ipairs(matching) do
    local is_part = false
    for _, other in ipairs(matching) do is_part = is_part or other ~= metric and has_all(metric.tags, other.tags) end
    if not is_part then selected[#selected + 1] = metric end
  end
  return selected
end

local adders = {}

function adders.counter(into, from) into.count = into.count + from.count end

function adders.rate(into, from) into.passed, into.total = into.passed + from.passed, into.total + from.total end

function adders.trend(into, from) into.histogram:merge(from.histogram) end

function adders.gauge(into, from)
  if from.value == nil then return end
  into.value = math.max(into.value or from.value, from.value)
  into.min = math.min(into.min or from.min, from.min)
  into.max = math.max(into.max or from.max, from.max)
end

local emptiers = {
  counter = function(sum) sum.count = 0 end,
  rate = function(sum) sum.passed, sum.total = 0, 0 end,
  trend = function(sum) sum.histogram:reset() end,
  gauge = function(sum) sum.value, sum.min, sum.max = nil, nil, nil end,
}

--- What the metrics of a threshold are together: counts and histograms add. Gauges of which
--- there are several are a script's own, and their sum may mean nothing: the highest value
--- counts, and the bounds of all. The result is good until the next call for this threshold.
---@param threshold wingman.load.threshold
---@param list table[]  as M.select chose them, in the form that M.value reads
---@return table|nil metric  nil when there is none
function M.total(threshold, list)
  if #list < 2 then return list[1] end
  local kind = list[1].type
  threshold.sum = threshold.sum or metrics.registry():get(kind, threshold.name, list[1].unit, threshold.tags)
  emptiers[kind](threshold.sum)
  for _, metric in ipairs(list) do adders[kind](threshold.sum, metric) end
  return threshold.sum
end

local readers = {}

-- Whether values that were too large for the histogram have a part in a statistic.
local function is_clipped(h, threshold)
  local over, statistic = h:overflows(), threshold.statistic
  if over == 0 or statistic == "min" then return false end
  if statistic == "max" or statistic == "avg" then return true end
  return h:count() * (1 - (threshold.percentile or 50) / 100) < over
end

function readers.trend(metric, threshold, seconds)
  local h = metric.histogram
  local n = h:count()
  if threshold.statistic == "count" then return n end
  if threshold.statistic == "rate" then return n / seconds end
  if n == 0 then return nil end
  if is_clipped(h, threshold) then return math.huge end -- it is not known, but no limit is above it
  local step = metric.step
  if threshold.statistic == "p" then return h:percentile(threshold.percentile) / step end
  if threshold.statistic == "avg" then return h:mean() / step end
  if threshold.statistic == "med" then return h:percentile(50) / step end
  if threshold.statistic == "min" then return h:min() / step end
  if threshold.statistic == "max" then return h:max() / step end
end

function readers.counter(metric, threshold, seconds)
  if threshold.statistic == "count" then return metric.count end
  if threshold.statistic == "rate" then return metric.count / seconds end
end

function readers.gauge(metric, threshold)
  local field = threshold.statistic
  if field == "value" or field == "min" or field == "max" then return metric[field] end
end

function readers.rate(metric, threshold)
  if threshold.statistic == "count" then return metric.total end
  if threshold.statistic == "rate" and metric.total > 0 then return metric.passed / metric.total end
end

--- What fits which type, for a check before the run.
local fitting = {
  trend = "p avg min max med count rate", counter = "count rate", gauge = "value min max", rate = "rate count",
}

-- Whether a statistic of a metric is a time. Counts and rates of times are numbers.
local function is_time(kind, unit, statistic)
  return (kind == "trend" or kind == "gauge") and units[unit] ~= nil and statistic ~= "count" and statistic ~= "rate"
end

-- Why nothing that the threshold looks at has a unit of time.
local function no_unit(threshold, unit)
  local statistic = threshold.statistic
  if statistic == "count" or statistic == "rate" then return statistic .. " has no unit" end
  if unit == "" then return threshold.name .. " has no unit" end
  return ("%s is in %s, which is no time"):format(threshold.name, unit)
end

--- Raises when the threshold asks a metric for what it has not.
---@param threshold wingman.load.threshold
---@param kind string  the metric's type
---@param unit string
function M.check_fits(threshold, kind, unit)
  local what = ("threshold '%s' on '%s'"):format(threshold.expression, threshold.metric)
  if not (" " .. fitting[kind] .. " "):find(" " .. threshold.statistic .. " ", 1, true) then
    error(("%s: a %s has %s"):format(what, kind, (fitting[kind]:gsub(" ", ", "))), 0)
  end
  local time = is_time(kind, unit, threshold.statistic)
  if threshold.has_unit and not time then
    error(("%s: %s; give a number without us, ms, s"):format(what, no_unit(threshold, unit)), 0)
  end
  if kind == "trend" and time and not threshold.has_unit and threshold.limit ~= 0 then
    error(what .. ": a time needs its unit: us, ms or s", 0)
  end
end

--- The value that a threshold looks at; nil while there is none. A time is in seconds, that of
--- a gauge where the threshold gives a unit.
---@param metric table  a metric of wingman.metrics.registry, or one like it
---@param threshold wingman.load.threshold
---@param seconds number  how long the run has lasted, for rates
---@return number|nil
function M.value(metric, threshold, seconds)
  local value = readers[metric.type](metric, threshold, math.max(seconds, 1e-9))
  local in_seconds = is_time(metric.type, metric.unit, threshold.statistic) and (metric.type == "trend" or threshold.has_unit)
  return value and in_seconds and value * units[metric.unit] or value
end

--- Whether a value keeps the threshold. Nothing measured does not: a run that proves
--- nothing has not passed.
---@param threshold wingman.load.threshold
---@param value number|nil
---@return boolean
function M.passes(threshold, value)
  return value ~= nil and comparisons[threshold.compare](value, threshold.limit)
end

return M
