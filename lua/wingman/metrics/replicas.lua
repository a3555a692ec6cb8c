--- What a run that follows maps measures: how far behind another client's copy is, and what became of the copies.
local histogram = require "wingman.base.histogram"
local list = require "wingman.metrics.list"

local M = {}

--- What users' writes are counted in, by scenario and map.
local OF_WRITES = { lag = "replica_lag", untimed = "replica_untimed", unseen = "replica_unseen" }
--- The same for maps with a live query.
local OF_ROWS = { latency = "live_latency" }

local TIME_MAX_US = 3600e6

---@class wingman.metrics.replicas
---@field package run wingman.load.run
---@field package places table<table, table<integer, table<string, table>>>  by what is counted, tag and map
---@field package intervals table<string, wingman.histogram>  of trends since they were taken
local methods = {}
methods.__index = methods

---@param run wingman.load.run
---@return wingman.metrics.replicas
function M.new(run)
  return setmetatable({
    run = run, places = { [OF_WRITES] = {}, [OF_ROWS] = {} },
    intervals = { replica_lag = histogram.new(TIME_MAX_US, 2), live_latency = histogram.new(TIME_MAX_US, 2) },
  }, methods)
end

local function get(self, name, tags)
  local listed = list[name]
  return self.run.registry:get(listed.type, name, listed.unit, tags)
end

local function with(tags, map)
  local all = { map = map }
  for tag, value in pairs(tags) do all[tag] = value end
  return all
end

-- Where the writes of a scenario to a map are counted: in the whole, and in its parts.
local function place_of(self, counted, map, tag)
  local places = self.places[counted]
  local of_tag = places[tag] or {}
  places[tag] = of_tag
  local place = of_tag[map]
  if place then return place end
  local scenario = self.run.scenario_of_tag[tag]
  place = {}
  for field, name in pairs(counted) do
    place[field] = { get(self, name), get(self, name, scenario.tags), get(self, name, with(scenario.tags, map)) }
  end
  of_tag[map] = place
  return place
end

local function record(trends, us)
  for i = 1, #trends do trends[i].histogram:record(us) end
end

local function count(metrics)
  for i = 1, #metrics do metrics[i]:add(1) end
end

--- A write is shown by the other copy.
---@param map string
---@param tag integer  of the write
---@param us number    since it was due
function methods:seen(map, tag, us)
  record(place_of(self, OF_WRITES, map, tag).lag, us)
  self.intervals.replica_lag:record(us)
end

--- A live query has reported the row of a write.
---@param map string
---@param tag integer  of the write
---@param us number    since it was due
function methods:reported(map, tag, us)
  record(place_of(self, OF_ROWS, map, tag).latency, us)
  self.intervals.live_latency:record(us)
end

--- A write of which nobody can see when it arrived.
---@param map string
---@param tag integer
function methods:untimed(map, tag) count(place_of(self, OF_WRITES, map, tag).untimed) end

--- A write that was not shown by the end of the run.
---@param map string
---@param tag integer
function methods:unseen(map, tag) count(place_of(self, OF_WRITES, map, tag).unseen) end

--- Moves what was measured since the last call into a point of the series.
---@param point table
function methods:take_intervals(point)
  for name, interval in pairs(self.intervals) do
    point[name]:merge(interval)
    interval:reset()
  end
end

local function add_time(self, name, map, seconds)
  get(self, name):add(seconds)
  get(self, name, { map = map }):add(seconds)
end

--- A copy has read its snapshot.
---@param map string
---@param seconds number
function methods:read_snapshot(map, seconds) add_time(self, "snapshot_time", map, seconds) end

--- A copy is equal to all nodes again.
---@param map string
---@param seconds number  since the last node was connected again
function methods:caught_up(map, seconds) add_time(self, "catch_up_time", map, seconds) end

-- The sum of a field; nil where a copy does not know it.
local function sum_of(copies, field)
  local sum = 0
  for _, status in ipairs(copies) do
    if not status[field] then return nil end
    sum = sum + status[field]
  end
  return sum
end

local COUNTED = { replica_repairs = "repairs", replica_dropped = "dropped", replica_lost = "lost" }

-- Counts up to `now`, which may have become less: what is no longer lost was.
local function raise(self, name, map, now)
  local own, total = get(self, name, { map = map }), get(self, name)
  if now <= own.count then return end
  total.count, own.count = total.count + now - own.count, now
end

--- How the copies of a map stand now.
---@param map string
---@param copies wingman.copy_figures[]
function methods:copies(map, copies)
  for name, field in pairs(COUNTED) do
    local now = sum_of(copies, field)
    if now then raise(self, name, map, now) end
  end
  self.behind = self.behind or {}
  self.behind[map] = sum_of(copies, "behind")
  get(self, "replica_behind", { map = map }):set(self.behind[map])
  local all = 0
  for _, behind in pairs(self.behind) do all = all + behind end
  get(self, "replica_behind"):set(all)
end

return M
