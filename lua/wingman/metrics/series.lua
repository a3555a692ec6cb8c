--- What a run did over time: a point a second, at most 600. When they are full, neighbours
--- are joined and a point stands for twice as long: the memory of a run does not grow with
--- its length.
local histogram = require "wingman.base.histogram"
local builtin_metrics = require "wingman.metrics.builtin"
local timed = require "wingman.metrics.timed"

local M = {}

local MOST = 600
local TIME_MAX_US = 3600e6

---@class wingman.load.series
---@field interval_s number
---@field points table[]
local methods = {}
methods.__index = methods

---@param run wingman.load.run
function M.new(run)
  return setmetatable({ run = run, interval_s = 1, points = {}, lateness_max_us = 0 }, methods)
end

local function totals(run)
  local recorded, acked = 0, 0
  local function count(tag)
    local r, a = run.op_metrics:counts(tag)
    recorded, acked = recorded + r, acked + a
  end
  local iterations, dropped = 0, 0
  for _, scenario in ipairs(run.scenarios) do
    count(scenario.tag)
    for _, group in pairs(scenario.groups) do count(group.tag) end
    iterations, dropped = iterations + scenario.iterations, dropped + scenario.dropped
  end
  local errors = 0
  for _, n in pairs(run.errors) do errors = errors + n end
  return {
    ops_recorded = recorded, ops_acked = acked, reads = run.reads:done "read", queries = run.reads:done "query", bytes_sent = run.client.core:stats().bytes_sent, iterations = iterations,
    dropped = dropped, errors = errors,
  }
end

local function join(a, b)
  for name, value in pairs(b.counters) do a.counters[name] = a.counters[name] + value end
  a.gauges = b.gauges
  a.lateness_max_s = math.max(a.lateness_max_s, b.lateness_max_s)
  for _, one in ipairs(timed) do a[one.series]:merge(b[one.series]) end
end

-- Twice the interval, and one point in the place of two.
local function make_room(self)
  local joined = {}
  self.interval_s = self.interval_s * 2
  for _, point in ipairs(self.points) do
    local last = joined[#joined]
    point.t_s = point.t_s - point.t_s % self.interval_s
    if last and last.t_s == point.t_s then join(last, point) else joined[#joined + 1] = point end
  end
  self.points = joined
end

local function keep(self, point)
  local t_s = point.t_s - point.t_s % self.interval_s
  local last = self.points[#self.points]
  if last and last.t_s == t_s then return join(last, point) end
  if #self.points == MOST then
    make_room(self)
    return keep(self, point)
  end
  local kept = { t_s = t_s, counters = {}, gauges = point.gauges, lateness_max_s = point.lateness_max_s }
  for _, one in ipairs(timed) do
    kept[one.series] = histogram.new(TIME_MAX_US, 2) -- later seconds are joined to it
    kept[one.series]:merge(point[one.series])
  end
  for name, value in pairs(point.counters) do kept.counters[name] = value end
  self.points[#self.points + 1] = kept
end

--- Closes the second that ends now. What happened in it, for whoever shows it; `nodes`
--- says what each has acknowledged so far.
---@param t_s integer  when it began, in whole seconds since the start
---@return table point
function methods:take(t_s)
  local run = self.run
  local now = totals(run)
  local before = self.before or { bytes_sent = run.base.stats.bytes_sent }
  local counters = {}
  for name, value in pairs(now) do counters[name] = value - (before[name] or 0) end
  self.before = now
  local gauges, health = builtin_metrics.gauges(run)
  local nodes = {}
  for i, node in ipairs(health.nodes) do
    nodes[i] = { id = node.id or node.url, acked = node.stats.ops_acked, usable = node.usable and true or false }
  end
  local point = { t_s = t_s, counters = counters, gauges = gauges, lateness_max_s = self.lateness_max_us / 1e6, nodes = nodes }
  for _, one in ipairs(timed) do point[one.series] = histogram.new(TIME_MAX_US, 2) end
  run.op_metrics:take_interval(point.latency)
  run.reads:take_interval("read", point.read_latency)
  run.reads:take_interval("query", point.query_latency)
  if run.follows then run.follows:take_intervals(point) end
  self.lateness_max_us = 0
  keep(self, point)
  return point
end

--- The greatest lateness of the interval that is open.
---@param us number
function methods:saw_lateness(us)
  if us > self.lateness_max_us then self.lateness_max_us = us end
end

--- The latencies of a point as they stand in a report: but for that of writes only where there were any.
---@param point table
---@param into table
function M.export_latencies(point, into)
  for _, one in ipairs(timed) do
    local h = point[one.series]
    if one.is_always or h:count() > 0 then
      into[one.series] = h:export()
      into[one.series].unit = "us"
    end
  end
end

--- As it stands in a report.
function methods:export()
  local points = {}
  for i, point in ipairs(self.points) do
    points[i] = { t_s = point.t_s, counters = point.counters, gauges = point.gauges, lateness_max_s = point.lateness_max_s }
    M.export_latencies(point, points[i])
  end
  return { interval_s = self.interval_s, points = points }
end

return M
