--- What the users of a run read from the cluster: reads of keys (map:read) and queries (client:query), counted
--- and timed. A `get` looks into the local copy and is none. What a set-up, a teardown or a task of the script's
--- own reads belongs to no scenario and is not measured.
local histogram = require "wingman.base.histogram"
local list = require "wingman.metrics.list"

local M = {}

local TIME_MAX_US = 3600e6

--- So many maps have a value of the tag `map` of their own: a script may use one for each user, and a
--- trend has 250 KB.
local MOST_MAPS = 50
--- The value of the tag `map` for the others.
M.OTHER_MAPS = "other maps"

-- The metrics of each kind: `done` and `absent` are counters, `latency` and `rows` trends, all by scenario, group and
-- map; `failed` is a counter by scenario and code.
local KINDS = {
  read = { latency = "read_latency", done = "reads", absent = "reads_absent", failed = "reads_failed" },
  query = { latency = "query_latency", done = "queries", rows = "query_rows", failed = "queries_failed" },
}

---@class wingman.metrics.reads
---@field package run wingman.load.run
---@field package kinds table<string, table>
local methods = {}
methods.__index = methods

---@param run wingman.load.run
---@return wingman.metrics.reads
function M.new(run)
  local self = setmetatable({ run = run, maps = {}, map_count = 0, kinds = {} }, methods)
  for name, metrics in pairs(KINDS) do
    self.kinds[name] = { metrics = metrics, places = {}, failures = {}, done = 0, interval = histogram.new(TIME_MAX_US, 2) }
  end
  return self
end

local function get(self, name, tags)
  local listed = list[name]
  return self.run.registry:get(listed.type, name, listed.unit, tags)
end

local function with(tags, name, value)
  local all = { [name] = value }
  for tag, known in pairs(tags) do all[tag] = known end
  return all
end

-- The value of the tag `map` of a map.
local function map_tag(self, map)
  local tag = self.maps[map]
  if tag then return tag end
  tag = self.map_count < MOST_MAPS and map or M.OTHER_MAPS
  self.maps[map], self.map_count = tag, self.map_count + 1
  return tag
end

-- A code that a threshold asks for counts from 0.
local function expect_codes(self, kind, scenario)
  for _, one in ipairs(self.run.options.thresholds) do
    local code = one.name == kind.metrics.failed and one.tags.code
    if code then
      get(self, one.name, { code = code })
      get(self, one.name, with(scenario.tags, "code", code))
    end
  end
end

-- The counters of a scenario's failures by code; `all` is that of the scenario.
local function failures_of(self, kind, scenario)
  local failures = kind.failures[scenario]
  if failures then return failures end
  failures = { all = get(self, kind.metrics.failed, scenario.tags), by_code = {} }
  kind.failures[scenario] = failures
  get(self, kind.metrics.failed)
  expect_codes(self, kind, scenario)
  return failures
end

-- Everything that a sample with these tags is counted in: the whole, and the parts of a scenario, a group and a map.
local function tag_sets(scenario, group, map)
  local sets = { {}, scenario.tags, with(scenario.tags, "map", map) }
  if group then
    local tags = with(scenario.tags, "group", group)
    sets[4], sets[5] = tags, with(tags, "map", map)
  end
  return sets
end

local function new_place(self, kind, tag, map)
  local scenario = self.run.scenario_of_tag[tag]
  failures_of(self, kind, scenario) -- so that none of them is a fact, too
  local place = { latency = {}, done = {}, absent = {}, rows = {} }
  for i, tags in ipairs(tag_sets(scenario, self.run.group_of_tag[tag], map)) do
    for field, metrics in pairs(place) do
      local name = kind.metrics[field]
      if name then metrics[i] = get(self, name, tags) end
    end
  end
  return place
end

-- Where a kind's samples of a map are counted, for the user that runs now.
local function place_of(self, kind, tag, map)
  local places = kind.places[tag]
  if not places then
    places = {}
    kind.places[tag] = places
  end
  local place = places[map]
  if place then return place end
  local shown = map_tag(self, map)
  place = places[shown] or new_place(self, kind, tag, shown)
  places[map], places[shown] = place, place
  return place
end

local function add(counters, n)
  for i = 1, #counters do counters[i].count = counters[i].count + n end
end

local function record(trends, value)
  for i = 1, #trends do trends[i].histogram:record(value) end
end

local function succeeded(self, kind, map, us, count)
  local context = self.run.context
  local place = place_of(self, kind, context.tag, map)
  us = us + context.late_us
  record(place.latency, us)
  kind.interval:record(us)
  add(place.done, count)
  kind.done = kind.done + count
  return place
end

local function failed(self, kind, code, count)
  local scenario = self.run.scenario_of_tag[self.run.context.tag]
  local failures = failures_of(self, kind, scenario)
  code = tostring(code)
  local counters = failures.by_code[code]
  if not counters then
    local name = kind.metrics.failed
    counters = { get(self, name), failures.all, get(self, name, { code = code }), get(self, name, with(scenario.tags, "code", code)) }
    failures.by_code[code] = counters
  end
  add(counters, count)
end

-- A user's turn is under way.
local function is_measured(self) return self.run.scenario_of_tag[self.run.context.tag] ~= nil end

local function count_absent(keys, values)
  local absent = 0
  for i = 1, #keys do
    if values[keys[i]] == nil then absent = absent + 1 end
  end
  return absent
end

--- Counts a read that has ended, by the user that goes on now.
---@param map string
---@param keys string|string[]
---@param us number  how long it took, without the lateness of its iteration
---@param value any  of the key; of several { key = value }
---@param err wingman.error|nil
function methods:read(map, keys, us, value, err)
  if not is_measured(self) then return end
  local kind, several = self.kinds.read, type(keys) == "table"
  local count = several and #keys or 1
  if count == 0 then return end
  if err then return failed(self, kind, err.code, count) end
  local place = succeeded(self, kind, map, us, count)
  local absent = several and count_absent(keys, value) or value == nil and 1 or 0
  if absent > 0 then add(place.absent, absent) end
end

--- Counts a query that has ended.
---@param map string
---@param us number
---@param rows integer|nil  how many it found
---@param err wingman.error|nil
function methods:query(map, us, rows, err)
  if not is_measured(self) then return end
  if err then return failed(self, self.kinds.query, err.code, 1) end
  record(succeeded(self, self.kinds.query, map, us, 1).rows, rows)
end

--- How many were done so far.
---@param name "read"|"query"
---@return integer
function methods:done(name) return self.kinds[name].done end

--- Moves the latencies since the last call into the histogram.
---@param name "read"|"query"
---@param into wingman.histogram
function methods:take_interval(name, into)
  local interval = self.kinds[name].interval
  into:merge(interval)
  interval:reset()
end

return M
