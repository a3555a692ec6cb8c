--- Looking things up in a document.
local histogram = require "wingman.base.histogram"
local selector = require "wingman.metrics.selector"
local work = require "wingman.metrics.work"

local M = {}

local unit_s = { ns = 1e-9, us = 1e-6, ms = 1e-3, s = 1 }

--- Seconds in a unit of time; nil for other units.
---@param unit string
---@return number|nil
function M.seconds(unit) return unit_s[unit] end

--- How much one step of a histogram is in the metric's unit.
---@param metric table  a trend
---@return number
function M.step(metric)
  local from, to = unit_s[metric.histogram.unit], unit_s[metric.unit]
  return from and to and from / to or 1
end

local function only_tag(metric)
  local tag, value = next(metric.tags)
  if tag and next(metric.tags, tag) == nil then return tag, value end
end

--- The metric of that name without tags: the total.
---@param document table
---@param name string
---@return table|nil
function M.total(document, name)
  for _, metric in ipairs(document.metrics) do
    if metric.name == name and next(metric.tags) == nil then return metric end
  end
end

--- The metrics of a name that have this tag and no other, by the tag's value.
---@param document table
---@param name string
---@param tag string
---@return { value: string, metric: table }[]
function M.by_tag(document, name, tag)
  local found = {}
  for _, metric in ipairs(document.metrics) do
    local only, value = only_tag(metric)
    if metric.name == name and only == tag then found[#found + 1] = { value = value, metric = metric } end
  end
  table.sort(found, function(a, b) return a.value < b.value end)
  return found
end

-- The metric of a scenario: with the scenario's tags, and its name among them.
local function find_of_scenario(document, name, scenario)
  local wanted = { scenario = scenario.name }
  for tag, value in pairs(scenario.tags or {}) do wanted[tag] = tostring(value) end
  local text = M.tags_text(wanted)
  for _, metric in ipairs(document.metrics) do
    if metric.name == name and M.tags_text(metric.tags) == text then return metric end
  end
end

--- The trend of a scenario.
---@param document table
---@param name string
---@param scenario table
---@return table|nil  nil also when it has no record
function M.of_scenario(document, name, scenario)
  local metric = find_of_scenario(document, name, scenario)
  return metric and metric.type == "trend" and metric.count > 0 and metric or nil
end

--- The counter of a scenario; 0 where there is none.
---@param document table
---@param name string
---@param scenario table
---@return number
function M.count_of_scenario(document, name, scenario)
  local metric = find_of_scenario(document, name, scenario)
  return metric and metric.count or 0
end

--- The trends of a name by a tag's value, those without a record left out.
---@param document table
---@param name string
---@param tag string
---@return table<string, table>
function M.trends_by(document, name, tag)
  local found = {}
  for _, entry in ipairs(M.by_tag(document, name, tag)) do
    if entry.metric.type == "trend" and entry.metric.count > 0 then found[entry.value] = entry.metric end
  end
  return found
end

--- The total of a counter: its entry without tags, else the sum of those by
--- scenario, or by node; 0 where there is none.
---@param document table
---@param name string
---@return number count, boolean known  false: the document says nothing about it
function M.count(document, name)
  local total = M.total(document, name)
  if total then return total.count or 0, true end
  for _, tag in ipairs { "scenario", "node", "code" } do
    local sum, parts = 0, M.by_tag(document, name, tag)
    for _, part in ipairs(parts) do sum = sum + (part.metric.count or 0) end
    if #parts > 0 then return sum, true end
  end
  return 0, false
end

--- The kinds of work that took place, with their latencies: writes before reads before queries.
---@param document table
---@return { kind: wingman.metrics.work, metric: table }[]
function M.latencies(document)
  local list = {}
  for _, kind in ipairs(work) do
    local metric = M.total(document, kind.latency)
    if metric and metric.type == "trend" and metric.count > 0 then list[#list + 1] = { kind = kind, metric = metric } end
  end
  return list
end

--- The trend that a report speaks of first: of writes, else of reads, else of queries, else of iterations.
---@param document table
---@return table|nil metric, wingman.metrics.work|nil kind  nil: of iterations
function M.main_latency(document)
  local first = M.latencies(document)[1]
  if first then return first.metric, first.kind end
  local metric = M.total(document, "iteration_duration")
  if metric and metric.type == "trend" and metric.count > 0 then return metric end
end

--- The kinds of work that a scenario did, with their latencies.
---@param document table
---@param scenario table
---@return { kind: wingman.metrics.work, metric: table }[]
function M.latencies_of_scenario(document, scenario)
  local list = {}
  for _, kind in ipairs(work) do
    local metric = M.of_scenario(document, kind.latency, scenario)
    if metric then list[#list + 1] = { kind = kind, metric = metric } end
  end
  return list
end

--- The errors of a code by scenario, those of most first; what no scenario had is not there.
---@param document table
---@param code string
---@return { name: string, count: integer }[]
function M.errors_by_scenario(document, code)
  local list = {}
  for _, metric in ipairs(document.metrics) do
    if metric.name == "errors" and metric.tags.code == code and metric.tags.scenario and (metric.count or 0) > 0 then
      list[#list + 1] = { name = metric.tags.scenario, count = metric.count }
    end
  end
  table.sort(list, function(a, b)
    if a.count ~= b.count then return a.count > b.count end
    return a.name < b.name
  end)
  return list
end

--- The trends that were given values larger than they can hold, of each name the total.
---@param document table
---@return { name: string, count: integer, most: number, unit: string }[]
function M.overflowed(document)
  local list = {}
  for _, metric in ipairs(document.metrics) do
    local h = metric.type == "trend" and next(metric.tags) == nil and metric.histogram
    if h and (h.overflows or 0) > 0 then
      list[#list + 1] = { name = metric.name, count = h.overflows, most = h.limit * M.step(metric), unit = metric.unit }
    end
  end
  return list
end

--- The histogram of a trend or a point's latency. The caller closes it.
---@param exported table
---@return wingman.histogram
function M.histogram(exported) return (assert(histogram.import(exported))) end

--- Count per second of the run.
---@param document table
---@param count number
---@return number
function M.per_second(document, count) return document.duration_s > 0 and count / document.duration_s or 0 end

--- Tags as a selector writes them: "{node:a,scenario:b}", "" without tags.
M.tags_text = selector.tags_text

return M
