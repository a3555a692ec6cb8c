--- The metrics of a run: counters, gauges, rates and trends by name and tags. Trends are
--- HDR histograms of 3 digits; times are kept in microseconds and reported in seconds. Nothing
--- here grows with the length of a run.
local histogram = require "wingman.base.histogram"
local selector = require "wingman.metrics.selector"

local M = {}

--- How many steps of a trend's histogram make one of its unit.
local steps = { us = 1, ms = 1e3, s = 1e6 }
--- The largest step that a trend holds, of a time 12 days. What is larger counts as an overflow.
local MOST = 2 ^ 40

---@class wingman.load.metric
---@field name string
---@field type "counter"|"gauge"|"rate"|"trend"
---@field unit string
---@field tags table<string, string>

local function is_finite(value) return type(value) == "number" and value - value == 0 end

local expectations = {
  counter = { fits = is_finite, text = "a finite number" },
  gauge = { fits = function(value) return type(value) == "number" and value == value end, text = "a number" },
  trend = { fits = function(value) return is_finite(value) and value >= 0 end, text = "a number from 0" },
  -- 0 is true in Lua: whoever gives one means something else.
  rate = { fits = function(value) return type(value) ~= "number" end, text = "true or false" },
}

--- Why a metric of this type cannot record a value, as the end of a sentence; nil when it can.
---@param kind "counter"|"gauge"|"rate"|"trend"
---@param value any
---@return string|nil
function M.refusal(kind, value)
  local expected = expectations[kind]
  if expected.fits(value) then return nil end
  return ("%s is expected, got %s"):format(expected.text, type(value) == "string" and ("%q"):format(value) or tostring(value))
end

local counter = { type = "counter" }
counter.__index = counter
--- Counts `n`, default 1.
---@param n number|nil  finite
function counter:add(n) self.count = self.count + (n or 1) end

local gauge = { type = "gauge" }
gauge.__index = gauge
---@param value number
function gauge:set(value)
  self.value = value
  self.min = math.min(self.min or value, value)
  self.max = math.max(self.max or value, value)
end

local rate = { type = "rate" }
rate.__index = rate
---@param passed any  nil and false are not
function rate:add(passed)
  self.total = self.total + 1
  if passed then self.passed = self.passed + 1 end
end

local trend = { type = "trend" }
trend.__index = trend
--- Counts a value in the metric's unit.
---@param value number  from 0, finite
function trend:add(value)
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
    self.histogram = histogram.new(MOST, 3)
    return setmetatable(self, trend)
  end,
}

---@class wingman.load.registry
---@field list wingman.load.metric[]  the oldest first
local methods = {}
methods.__index = methods

---@return wingman.load.registry
function M.registry() return setmetatable({ list = {}, by_key = {} }, methods) end

--- The metric of this name and these tags; nil when there is none.
---@param name string
---@param tags table<string, string>|nil
---@return wingman.load.metric|nil
function methods:find(name, tags) return self.by_key[name .. selector.tags_text(tags or {})] end

--- The metric of this name and these tags, made at the first call.
---@param kind "counter"|"gauge"|"rate"|"trend"
---@param name string
---@param unit string|nil  "s" makes a trend one of times
---@param tags table<string, string>|nil
function methods:get(kind, name, unit, tags)
  local key = name .. selector.tags_text(tags or {})
  local metric = self.by_key[key]
  if metric then return metric end
  local self_tags = {}
  for tag, value in pairs(tags or {}) do self_tags[tostring(tag)] = tostring(value) end
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
