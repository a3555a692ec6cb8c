--- The percentile plot of a document, and of several side by side.
local percentile_plot = require "wingman.report.plot.percentile_plot"
local theme = require "wingman.report.plot.theme"
local verdict = require "wingman.report.model.verdict"
local view = require "wingman.report.model.view"

local M = {}

local function line_of(name, metric, class)
  return { name = name, histogram = view.histogram(metric.histogram), step = view.step(metric), class = class }
end

local function close_all(lines)
  for _, line in ipairs(lines) do line.histogram:close() end
end

-- Upper limits of percentiles among the thresholds of a metric without tags, or with
-- those of the only scenario.
local function limits_of(document, name)
  local list = {}
  for _, threshold in ipairs(document.thresholds) do
    local percentile, value, unit = threshold.expression:match "^%s*p%(([%d.]+)%)%s*<=?%s*([%d.]+)%s*(%a+)%s*$"
    local seconds = unit and view.seconds(unit)
    local metric, tags = threshold.metric:match "^([%w_]+)(.*)$"
    local whole = tags == "" or #document.scenarios == 1 and tags == ("{scenario:%s}"):format(document.scenarios[1].name)
    if percentile and seconds and metric == name and whole then
      list[#list + 1] = { percentile = tonumber(percentile), value = tonumber(value) * seconds, passed = threshold.passed }
    end
  end
  return list
end

local names = { write = "operation", read = "read", query = "query" }

-- The kinds of work where there are several, else the scenarios where there are several, or else the parts of an
-- operation.
local function lines_of(document, metric, kind)
  local lines = {}
  for _, one in ipairs(view.latencies(document)) do lines[#lines + 1] = line_of(names[one.kind.name], one.metric) end
  if #lines > 1 then return lines end
  if not kind then lines[1] = line_of("iteration", metric) end
  if #document.scenarios > 1 then
    for i = 1, math.min(3, #document.scenarios) do
      local own = view.of_scenario(document, metric.name, document.scenarios[i])
      if own then lines[#lines + 1] = line_of(document.scenarios[i].name, own) end
    end
    return lines
  end
  for _, part in ipairs { { "op_queue", "queue" }, { "op_send", "send" }, { "op_ack", "acknowledge" } } do
    local found = metric.name == "op_latency" and view.total(document, part[1])
    if found and found.count > 0 then lines[#lines + 1] = line_of(part[2], found) end
  end
  return lines
end

--- The plot of a document; nil when it has no latency.
---@param document table
---@return wingman.report.svg|nil
function M.draw(document)
  local metric, kind = view.main_latency(document)
  if not metric then return nil end
  local lines = lines_of(document, metric, kind)
  local drawing = percentile_plot.draw(lines, { unit = metric.unit, limits = limits_of(document, metric.name),
    late = verdict.late(document) ~= nil })
  close_all(lines)
  return drawing
end

--- The plot as an SVG file.
---@param document table
---@return string|nil, string|nil err
function M.format(document)
  local drawing = M.draw(document)
  if not drawing then return nil, "there is no latency in this report" end
  return drawing:file(theme.drawing)
end

--- An SVG file with a line for each of several documents' metric.
---@param entries { name: string, document: table, metric: string|nil }[]  unless named, the metric is the main latency
---@return string|nil, string|nil err
function M.compare(entries)
  local lines, unit, late = {}, nil, false
  for _, entry in ipairs(entries) do
    local name = entry.metric
    local metric = name and view.total(entry.document, name) or not name and view.main_latency(entry.document)
    if metric and metric.type == "trend" then
      lines[#lines + 1] = line_of(entry.name, metric)
      unit, late = metric.unit, late or verdict.late(entry.document) ~= nil
    end
  end
  local drawing = percentile_plot.draw(lines, { unit = unit, late = late })
  close_all(lines)
  if not drawing then return nil, "there is no latency in these reports" end
  return drawing:file(theme.drawing)
end

return M
