--- Several time series as one: point by point, each shifted by how much later its
--- process started. Every count stays; a point's time is right to half an interval.
local merge_metrics = require "wingman.report.merge.metrics"
local schema = require "wingman.report.model.schema"
local sorted = require "wingman.base.sorted"
local timed = require "wingman.metrics.timed"

local M = {}

local floor = math.floor

-- What does not fit, as a text.
local function add_latency(into, from, field)
  if not from[field] or not into[field] then
    into[field] = into[field] or from[field]
    return nil
  end
  local added, err = merge_metrics.add_histograms(into[field], from[field])
  into[field] = added
  return err
end

-- Adds `from` into the point `into`. Amounts of the same moment add; of joined
-- neighbours the later ones stay.
local function add_point(into, from, joined)
  for name, n in pairs(from.counters) do into.counters[name] = (into.counters[name] or 0) + n end
  for name, n in pairs(from.gauges) do into.gauges[name] = joined and n or (into.gauges[name] or 0) + n end
  for _, one in ipairs(timed) do
    local err = add_latency(into, from, one.series)
    if err then return err end
  end
  if from.lateness_max_s then into.lateness_max_s = math.max(into.lateness_max_s or 0, from.lateness_max_s) end
end

-- The points by their place, where `place(i)` says where the i-th interval goes.
local function add_series(places, series, place, joined)
  for _, point in ipairs(series.points) do
    local at = place(floor(point.t_s / series.interval_s + 0.5))
    local into = places[at]
    if not into then
      into = { counters = {}, gauges = {} }
      places[at] = into
    end
    local err = add_point(into, point, joined)
    if err then return err end
  end
end

local function series_of(places, interval_s)
  local points = {}
  for i, at in ipairs(sorted.keys(places)) do
    points[i] = places[at]
    points[i].t_s = at * interval_s
  end
  return { interval_s = interval_s, points = points }
end

--- The series with each `times` neighbours joined.
---@return table|nil, string|nil err
function M.coarsen(series, times)
  local places = {}
  local err = add_series(places, series, function(i) return floor(i / times) end, true)
  if err then return nil, err end
  return series_of(places, series.interval_s * times)
end

local function coarsest(documents)
  local interval = 0
  for _, document in ipairs(documents) do interval = math.max(interval, document.series.interval_s) end
  return interval
end

--- The series of all documents, counted from `started_at`; nil and why two do not fit.
---@param documents table[]
---@param started_at number
---@return table|nil, string|nil err
function M.merge(documents, started_at)
  local interval, places = coarsest(documents), {}
  for _, document in ipairs(documents) do
    local times = interval / document.series.interval_s
    if math.abs(times - floor(times + 0.5)) > 1e-6 then
      return nil, ("series of %s s and of %s s intervals do not fit together"):format(document.series.interval_s, interval)
    end
    local series, err = M.coarsen(document.series, floor(times + 0.5))
    if not series then return nil, err end
    local shift = floor((document.started_at - started_at) / interval + 0.5)
    err = add_series(places, series, function(i) return i + shift end, false)
    if err then return nil, err end
  end
  local series = series_of(places, interval)
  while #series.points > schema.max_points do series = assert(M.coarsen(series, 2)) end
  return series
end

return M
