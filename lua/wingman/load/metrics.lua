--- The metrics of a run: counters, gauges, rates and trends by name and tags. Trends are
--- HDR histograms of 3 digits; times are kept in microseconds and told in seconds. Nothing
--- here grows with the length of a run.
local histogram = require "wingman.histogram"

local M = {}

--- How many steps of a trend's histogram make one of its unit.
local steps = { us = 1, ms = 1e3, s = 1e6 }
--- An hour in microseconds; what is not a time may be as large as a count can be.
local TIME_MAX, VALUE_MAX = 3600e6, 2 ^ 40

---@class wingman.load.metric
---@field name string
---@field type "counter"|"gauge"|"rate"|"trend"
---@field unit string
---@field tags table<string, string>

local counter = { type = "counter" }
counter.__index = counter
--- Counts `n`, 1 unless told.
---@param n number|nil  finite
function counter:add(n)
  if n == nil then n = 1 end
  if type(n) ~= "number" or n - n ~= 0 then
    error(("counter '%s': a finite number is expected, got %s"):format(self.name, tostring(n)), 2)
  end
  self.count = self.count + n
end

local gauge = { type = "gauge" }
gauge.__index = gauge
function gauge:set(value)
  self.value = value
  self.min = math.min(self.min or value, value)
  self.max = math.max(self.max or value, value)
end

local rate = { type = "rate" }
rate.__index = rate
function rate:add(passed)
  self.total = self.total + 1
  if passed then self.passed = self.passed + 1 end
end

local trend = { type = "trend" }
trend.__index = trend
--- Counts a value in the metric's unit.
---@param value number  from 0, finite
function trend:add(value)
  if type(value) ~= "number" or not (value >= 0 and value < math.huge) then
    error(("trend '%s': a number from 0 is expected, got %s"):format(self.name, tostring(value)), 2)
  end
  local whole = value * self.step + 0.5
  self.histogram:record(whole)
end
--- The value at a percentile, in the metric's unit; nil without any.
function trend:percentile(p)
  if self.histogram:count() == 0 then return nil end
  return self.histogram:percentile(p) / self.step
end

local makers = {
  counter = function(self)
    self.count = 0
    return setmetatable(self, counter)
  end,
  gauge = function(self) return setmetatable(self, gauge) end,
  rate = function(self)
    self.passed, self.total = 0, 0
    return setmetatable(self, rate)
  end,
  trend = function(self)
    self.step = steps[self.unit] or 1
    self.histogram = histogram.new(steps[self.unit] and TIME_MAX or VALUE_MAX, 3)
    return setmetatable(self, trend)
  end,
}

local function tag_text(tags)
  local parts = {}
  for name, value in pairs(tags) do parts[#parts + 1] = name .. ":" .. tostring(value) end
  table.sort(parts)
  return table.concat(parts, ",")
end

---@class wingman.load.registry
---@field list wingman.load.metric[]  in the order of their making
local methods = {}
methods.__index = methods

---@return wingman.load.registry
function M.registry() return setmetatable({ list = {}, by_key = {} }, methods) end

--- The metric of this name and these tags, made at the first call.
---@param kind "counter"|"gauge"|"rate"|"trend"
---@param name string
---@param unit string|nil  "s" makes a trend one of times
---@param tags table<string, string>|nil
function methods:get(kind, name, unit, tags)
  local key = name .. "{" .. tag_text(tags or {}) .. "}"
  local metric = self.by_key[key]
  if metric then return metric end
  local self_tags = {}
  for tag, value in pairs(tags or {}) do self_tags[tag] = tostring(value) end
  metric = makers[kind] { name = name, type = kind, unit = unit or "", tags = self_tags }
  self.by_key[key] = metric
  self.list[#self.list + 1] = metric
  return metric
end

function methods:counter(name, tags, unit) return self:get("counter", name, unit, tags) end
function methods:gauge(name, tags, unit) return self:get("gauge", name, unit, tags) end
function methods:rate(name, tags) return self:get("rate", name, nil, tags) end
function methods:trend(name, tags, unit) return self:get("trend", name, unit or "s", tags) end

return M
