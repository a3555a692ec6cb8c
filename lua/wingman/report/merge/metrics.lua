--- The metrics of several documents as those of one run: counters, rates and
--- histograms add, exactly. What a gauge is decides what several of it are.
local threshold = require "wingman.metrics.threshold"
local validate = require "wingman.report.model.validate"
local view = require "wingman.report.model.view"

local M = {}

-- States, of which the highest counts; every other gauge of ours is an amount, and
-- amounts add. A script's own gauges are taken for states, too: their sum may mean nothing.
local amounts = { in_flight = true, log_depth = true, vus = true, cpu = true, rss_bytes = true, replica_behind = true }

local function copy(value)
  if type(value) ~= "table" then return value end
  local out = {}
  for k, v in pairs(value) do out[k] = copy(v) end
  return out
end

local function both(a, b, fn)
  if a == nil or b == nil then return a or b end
  return fn(a, b)
end

local function sum(a, b) return a + b end

local adders = {}

function adders.counter(into, from) into.count = into.count + from.count end

function adders.rate(into, from)
  into.passed, into.total = into.passed + from.passed, into.total + from.total
end

function adders.gauge(into, from)
  local amount = amounts[into.name]
  into.value = both(into.value, from.value, amount and sum or math.max)
  into.min = both(into.min, from.min, amount and sum or math.min)
  into.max = both(into.max, from.max, amount and sum or math.max)
end

--- What two exported histograms are together; nil and why they do not fit.
---@return table|nil, string|nil err
function M.add_histograms(a, b)
  if a.digits ~= b.digits or a.unit ~= b.unit then
    return nil, ("a histogram of %d digits in %s and one of %d in %s do not add up exactly"):format(a.digits, a.unit,
      b.digits, b.unit)
  end
  local wide, other = view.histogram(a.limit >= b.limit and a or b), view.histogram(a.limit >= b.limit and b or a)
  wide:merge(other)
  local out = wide:export()
  out.unit = a.unit
  wide:close()
  other:close()
  return out
end

local percentiles = { p50 = 50, p90 = 90, p95 = 95, p99 = 99, p99_9 = 99.9 }

function adders.trend(into, from)
  local added, err = M.add_histograms(into.histogram, from.histogram)
  if not added then return err end
  local count = into.count + from.count
  if count > 0 then into.mean = (into.mean * into.count + from.mean * from.count) / count end
  into.histogram, into.count = added, count
  local h, step = view.histogram(added), view.step(into)
  into.min, into.max = h:min() * step, h:max() * step
  for field, p in pairs(percentiles) do into[field] = h:percentile(p) * step end
  h:close()
end

--- The metrics of all documents; nil and why two do not fit.
---@param documents table[]
---@return table[]|nil, string|nil err
function M.merge(documents)
  local list, by_key = {}, {}
  for _, document in ipairs(documents) do
    for _, metric in ipairs(document.metrics) do
      local key = validate.tag_key(metric)
      local into = by_key[key]
      if not into then
        into = copy(metric)
        by_key[key] = into
        list[#list + 1] = into
      elseif into.type ~= metric.type or into.unit ~= metric.unit then
        return nil, ("%s is a %s in '%s' in one and a %s in '%s' in another"):format(key, into.type, into.unit, metric.type,
          metric.unit)
      else
        local err = adders[metric.type](into, metric)
        if err then return nil, key .. ": " .. err end
      end
    end
  end
  table.sort(list, function(a, b) return validate.tag_key(a) < validate.tag_key(b) end)
  return list
end

-- The metric in the form that wingman.metrics.threshold reads.
local function readable(metric)
  if metric.type ~= "trend" then return metric, nil end
  local h = view.histogram(metric.histogram)
  return { type = "trend", unit = metric.unit, histogram = h, step = 1 / view.step(metric) }, h
end

--- What a threshold looks at, in merged metrics; nil when nothing of it was measured.
---@param metrics table[]
---@param parsed wingman.load.threshold
---@param seconds number  that the run lasted
---@return number|nil
function M.value(metrics, parsed, seconds)
  local list, histograms = threshold.select(metrics, parsed), {}
  for i, metric in ipairs(list) do list[i], histograms[#histograms + 1] = readable(metric) end
  local metric = threshold.total(parsed, list)
  local value = metric and threshold.value(metric, parsed, seconds)
  for _, h in ipairs(histograms) do h:close() end
  return value
end

--- The thresholds, measured again on merged metrics.
---@param thresholds table[]   of the first document
---@param documents table[]
---@param metrics table[]
---@param seconds number
---@return table[]
function M.thresholds(thresholds, documents, metrics, seconds)
  local list = {}
  for i, old in ipairs(thresholds) do
    local parsed = threshold.read({ [old.metric] = { old.expression } })[1]
    local value = M.value(metrics, parsed, seconds)
    local aborted = false
    for _, document in ipairs(documents) do aborted = aborted or document.thresholds[i].aborted or false end
    list[i] = { metric = old.metric, expression = old.expression, unit = old.unit, value = value,
      passed = threshold.passes(parsed, value), aborted = aborted }
  end
  return list
end

return M
