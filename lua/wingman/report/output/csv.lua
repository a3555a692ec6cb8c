--- The time series as CSV (RFC 4180, with \n): a line for each point, latencies in
--- seconds. A cell is empty where nothing was measured.
local sorted = require "wingman.base.sorted"
local timed = require "wingman.metrics.timed"
local view = require "wingman.report.model.view"

local M = {}

local function cell(value)
  local text = tostring(value)
  if text:find '[",\r\n]' then return '"' .. text:gsub('"', '""') .. '"' end
  return text
end

local function number(n)
  if n == nil then return "" end
  if n == math.floor(n) and math.abs(n) <= 2 ^ 53 then return ("%.0f"):format(n) end
  return ("%.9g"):format(n)
end

-- The names that any point has, sorted.
local function names(points, field)
  local seen = {}
  for _, point in ipairs(points) do
    for name in pairs(point[field]) do seen[name] = true end
  end
  return sorted.keys(seen)
end

local percentiles = { { "p50_s", 50 }, { "p90_s", 90 }, { "p99_s", 99 }, { "p99_9_s", 99.9 }, { "max_s", 100 } }

-- Percentiles of writes always, of others where a point has them.
local function latency_fields(points)
  local fields = {}
  for _, one in ipairs(timed) do
    local any = one.is_always
    for _, point in ipairs(points) do any = any or point[one.series] ~= nil end
    if any then fields[#fields + 1] = one.series end
  end
  return fields
end

local function add_latency_cells(cells, exported)
  local h, step = exported and view.histogram(exported), exported and view.seconds(exported.unit) or 1
  for _, p in ipairs(percentiles) do cells[#cells + 1] = h and h:count() > 0 and number(h:percentile(p[2]) * step) or "" end
  if h then h:close() end
end

--- The CSV text. The last column marks what a late generator measured.
---@param document table
---@return string
function M.format(document)
  local series = document.series
  local counters, gauges = names(series.points, "counters"), names(series.points, "gauges")
  local head = { "t_s", "interval_s" }
  for _, name in ipairs(counters) do head[#head + 1] = cell(name) end
  for _, name in ipairs(gauges) do head[#head + 1] = cell(name) end
  local latencies = latency_fields(series.points)
  for _, field in ipairs(latencies) do
    for _, p in ipairs(percentiles) do head[#head + 1] = field .. "_" .. p[1] end
  end
  head[#head + 1] = "lateness_max_s"
  head[#head + 1] = "generator_late"
  local lines = { table.concat(head, ",") }
  for _, point in ipairs(series.points) do
    local row = { number(point.t_s), number(series.interval_s) }
    for _, name in ipairs(counters) do row[#row + 1] = number(point.counters[name]) end
    for _, name in ipairs(gauges) do row[#row + 1] = number(point.gauges[name]) end
    for _, field in ipairs(latencies) do add_latency_cells(row, point[field]) end
    row[#row + 1] = number(point.lateness_max_s)
    row[#row + 1] = document.generator_late and "1" or "0"
    lines[#lines + 1] = table.concat(row, ",")
  end
  return table.concat(lines, "\n") .. "\n"
end

return M
