--- Whether a table is a document: its shape, and what a shape cannot say.
local histogram = require "wingman.base.histogram"
local schema = require "wingman.report.model.schema"
local selector = require "wingman.metrics.selector"

local M = {}

--- The name and tags of a metric as one text: "op_latency{node:a,scenario:writes}".
---@param metric table
---@return string
local function tag_key(metric) return metric.name .. selector.tags_text(metric.tags) end

M.tag_key = tag_key

local function check_metrics(document)
  local seen = {}
  for i, metric in ipairs(document.metrics) do
    local key = tag_key(metric)
    if seen[key] then return ("metrics[%d]: %s is also metrics[%d]"):format(i, key, seen[key]) end
    seen[key] = i
    if metric.type == "rate" and metric.passed > metric.total then
      return ("metrics[%d]: %s: %d passed of %d"):format(i, key, metric.passed, metric.total)
    end
    if metric.type == "trend" then
      local h = assert(histogram.import(metric.histogram))
      local count = h:count()
      h:close()
      if count ~= metric.count then
        return ("metrics[%d].count: %s: the histogram has %.0f, not %.0f"):format(i, key, count, metric.count)
      end
    end
  end
end

local function check_series(document)
  local interval, before = document.series.interval_s, -1
  if interval <= 0 then return "series.interval_s: a number above 0 is expected" end
  for i, point in ipairs(document.series.points) do
    local place = math.floor(point.t_s / interval + 0.5)
    if math.abs(place * interval - point.t_s) > interval * 1e-6 then
      return ("series.points[%d].t_s: %s is no multiple of the interval, %s"):format(i, point.t_s, interval)
    end
    if place <= before then return ("series.points[%d].t_s: it does not come after the one before"):format(i) end
    before = place
  end
end

local function check_partitions(document)
  local partitions, environment = document.partitions, document.environment
  if not partitions then return end
  for _, field in ipairs { "owners", "ops", "routed", "latency", "samples" } do
    if #partitions[field] ~= environment.partition_count then
      return ("partitions.%s: %d elements, but environment.partition_count is %d"):format(field, #partitions[field],
        environment.partition_count)
    end
  end
  for _, field in ipairs { "owners", "routed" } do
    for i, node in ipairs(partitions[field]) do
      if node > #environment.nodes then
        return ("partitions.%s[%d]: there is no node %d, environment.nodes has %d"):format(field, i, node,
          #environment.nodes)
      end
    end
  end
end

--- Whether the document is one.
---@param document any
---@return true|nil, string|nil err  the place and what is wrong there
function M.validate(document)
  if type(document) ~= "table" then return nil, "a report is a table, not a " .. type(document) end
  local version = document.schema
  if type(version) == "string" and version ~= schema.version and version:match "^wingman%.report/%d+$" then
    return nil, ("schema: this Wingman reads %s, not %s; use the version that wrote it"):format(schema.version, version)
  end
  if version ~= schema.version then
    local got = version == nil and "nothing" or ("%q"):format(tostring(version))
    return nil, ('schema: "%s" is expected, got %s'):format(schema.version, got)
  end
  local wrong = schema.document.check(document, "") or check_metrics(document) or check_series(document)
    or check_partitions(document)
  if wrong then return nil, wrong end
  return true
end

return M
