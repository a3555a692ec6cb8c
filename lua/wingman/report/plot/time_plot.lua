--- What happened when: throughput, latency, what waits, and the generator's lateness above
--- one time axis, with the faults drawn through all of them.
local format = require "wingman.text.quantities"
local scale = require "wingman.report.plot.scale"
local svg = require "wingman.report.plot.svg"
local short = require "wingman.text.utf8".short
local view = require "wingman.report.model.view"
local work = require "wingman.metrics.work"

local M = {}

local classes = { "main", "third", "fourth" }
local WIDTH, LEFT, RIGHT, TOP, GAP, BOTTOM = 952, 62, 112, 34, 34, 34

---@class wingman.report.panel
---@field title string
---@field height number
---@field log boolean|nil
---@field text fun(value: number): string
---@field lines { name: string, class: string, values: (number|false)[], area: boolean|nil }[]

-- A point's time is cut short where the run ends within it.
local function length_of(document, point)
  return math.min(document.series.interval_s, document.duration_s - point.t_s)
end

-- The points but for what is left over at the end: a rate of so short a time is none.
local function shown_points(document)
  local list = {}
  for _, point in ipairs(document.series.points) do
    if length_of(document, point) > document.series.interval_s * 0.05 then list[#list + 1] = point end
  end
  return list
end

local function each_point(document, fn)
  local list = {}
  for i, point in ipairs(shown_points(document)) do list[i] = fn(point) or false end
  return list
end

local function rate_of(document, name)
  return each_point(document, function(point)
    local n = point.counters[name]
    return n and n / length_of(document, point)
  end)
end

local function gauge_of(document, name)
  return each_point(document, function(point)
    local value = point.gauges[name]
    return value and value - value == 0 and value
  end)
end

local function any(values)
  for _, value in ipairs(values) do if value and value > 0 then return true end end
  return false
end

-- Operations acknowledged, reads and queries, those that there are; else iterations.
local function throughput_lines(document)
  local lines = {}
  for _, kind in ipairs(work) do
    local values = rate_of(document, kind.count)
    if any(values) then
      lines[#lines + 1] = { name = kind.name == "write" and "acknowledged" or kind.many, class = classes[#lines + 1], values = values,
        area = #lines == 0 }
    end
  end
  if any(rate_of(document, "ops_acked")) then
    table.insert(lines, 1, { name = "recorded", class = "faint", values = rate_of(document, "ops_recorded") })
  end
  return lines
end

local function throughput_panel(document)
  local lines, title = throughput_lines(document), "operations per second"
  if #lines == 0 then
    title = "iterations per second"
    lines[1] = { name = "iterations", class = "main", values = rate_of(document, "iterations"), area = true }
  end
  local errors = rate_of(document, "errors")
  if any(errors) then lines[#lines + 1] = { name = "errors", class = "second", values = errors } end
  return { title = title, height = 110, text = format.number, lines = lines }
end

-- The latency over time of one kind of work.
local function latency_panel(document, kind, is_only)
  local lists = { {}, {}, {} }
  for i, point in ipairs(shown_points(document)) do
    local exported = point[kind.series]
    local h = exported and view.histogram(exported)
    local step = exported and view.seconds(exported.unit) or 1
    for j, percentile in ipairs { 50, 99, 100 } do
      lists[j][i] = h and h:count() > 0 and math.max(h:percentile(percentile), 1) * step or false
    end
    if h then h:close() end
  end
  return { title = is_only and kind.name == "write" and "latency" or "latency of " .. kind.many, height = 140, log = true, text = format.duration, lines = {
    { name = "max", class = "faint", values = lists[3] }, { name = "p99", class = "second", values = lists[2] },
    { name = "p50", class = "main", values = lists[1] },
  } }
end

local function waiting_panel(document)
  return { title = "operations in the log and in flight", height = 70, text = format.number, lines = {
    { name = "log", class = "faint", values = gauge_of(document, "log_depth") },
    { name = "in flight", class = "main", values = gauge_of(document, "in_flight"), area = true },
  } }
end

local function generator_panel(document)
  return { title = document.generator_late and "generator: its lateness (it was late)" or "generator: its lateness", height = 60,
    text = format.duration, lines = {
      { name = "lateness, max", class = "third", values = each_point(document, function(p) return p.lateness_max_s end), area = true },
    } }
end

local function vus_panel(document)
  return { title = "virtual users", height = 50, text = format.number, lines = {
    { name = "VUs", class = "main", values = gauge_of(document, "vus"), area = true } } }
end

-- Users go at the end; that alone is no news.
local function varies(values)
  local first
  for i, value in ipairs(values) do
    if value and i < #values then
      first = first or value
      if value ~= first then return true end
    end
  end
  return false
end

local function panels_of(document)
  local list = {}
  local all = { throughput_panel(document) }
  local is_only = #view.latencies(document) <= 1
  for _, kind in ipairs(work) do all[#all + 1] = latency_panel(document, kind, is_only) end
  all[#all + 1], all[#all + 2] = waiting_panel(document), generator_panel(document)
  for _, panel in ipairs(all) do
    local shown = false
    for _, line in ipairs(panel.lines) do shown = shown or any(line.values) end
    if shown then list[#list + 1] = panel end
  end
  local users = vus_panel(document)
  if varies(users.lines[1].values) then list[#list + 1] = users end
  return list
end

local function extent(panel)
  local lowest, highest = math.huge, 0
  for _, line in ipairs(panel.lines) do
    for _, value in ipairs(line.values) do
      if value then lowest, highest = math.min(lowest, value), math.max(highest, value) end
    end
  end
  if panel.log then return scale.log_bounds(lowest, highest) end
  local step = scale.step(math.max(highest, 1e-12), 3)
  return 0, step * math.ceil(highest / step - 1e-9)
end

-- Steps: each point's value for as long as its interval lasts.
local function step_points(document, values, x, y)
  local points = {}
  for i, point in ipairs(shown_points(document)) do
    local value = values[i]
    if value then
      points[#points + 1] = { x(point.t_s), y(value) }
      points[#points + 1] = { x(point.t_s + length_of(document, point)), y(value) }
    else
      points[#points + 1] = false
    end
  end
  return points
end

local function draw_names(drawing, names, top, bottom)
  table.sort(names, function(a, b) return a.y < b.y end)
  local free = top - 9
  for _, name in ipairs(names) do free = math.max(free + 13, name.y + 4); name.at = free end
  local over = #names > 0 and math.max(0, names[#names].at - bottom - 2) or 0
  for _, name in ipairs(names) do drawing:text(WIDTH - RIGHT + 8, name.at - over, name.name, name.class) end
end

local function draw_panel(drawing, document, panel, x, top)
  local bottom = top + panel.height
  local lo, hi = extent(panel)
  local y = panel.log and scale.log(lo, hi, bottom, top) or scale.linear(lo, hi, bottom, top)
  local ticks = panel.log and scale.log_ticks(lo, hi, panel.height / 20) or scale.ticks(lo, hi, 3)
  for _, tick in ipairs(ticks) do
    drawing:line(LEFT, y(tick), WIDTH - RIGHT, y(tick), "grid")
    drawing:text(LEFT - 8, y(tick) + 4, (panel.text(tick):gsub("%.0+ ", " ")), "dim", "end")
  end
  drawing:text(LEFT, top - 9, panel.title, "title")
  local names = {}
  for _, line in ipairs(panel.lines) do
    if any(line.values) then
      local points = step_points(document, line.values, x, y)
      if line.area then drawing:path(points, "area", bottom) end
      drawing:path(points, line.class)
      local last
      for _, point in ipairs(points) do last = point or last end
      names[#names + 1] = { name = line.name, class = line.class, y = last[2] }
    end
  end
  draw_names(drawing, names, top, bottom)
  drawing:line(LEFT, bottom, WIDTH - RIGHT, bottom, "axis")
end

-- From the loss to the first acknowledgement, as a shade; faults as lines. Labels that
-- would cover each other take turns in two rows.
local function draw_events(drawing, document, x, bottom)
  for _, failover in ipairs(document.failovers) do
    local stop = failover.first_ack_s or failover.drained_s
    if stop then
      local from, to = x(failover.at_s), x(math.min(failover.at_s + stop, document.duration_s))
      drawing:rect(from, TOP, math.max(2, to - from), bottom - TOP, "wait",
        ("%s: %s without acknowledgements"):format(failover.node, format.duration(stop)))
    end
  end
  local ends = { -math.huge, -math.huge }
  for _, fault in ipairs(document.faults) do
    local at = x(math.min(fault.at_s, document.duration_s))
    drawing:line(at, TOP - 6, at, bottom, "fault")
    local label = fault.action .. (fault.target and " " .. fault.target or "")
    local width = math.min(#label, 28) * 6
    local row = at - width / 2 > ends[1] and 1 or at - width / 2 > ends[2] and 2
    if row then
      drawing:text(at, row == 1 and 12 or 24, short(label, 28), "fault", "middle")
      ends[row] = at + width / 2 + 6
    end
  end
end

local function draw_time_axis(drawing, document, x, top, bottom)
  for _, tick in ipairs(scale.ticks(0, document.duration_s, 10)) do
    drawing:line(x(tick), top, x(tick), bottom, "grid")
    drawing:text(x(tick), bottom + 16, ("%g s"):format(tick), "dim", "middle")
  end
end

--- The plot; nil when the series is empty.
---@param document table
---@return wingman.report.svg|nil
function M.draw(document)
  local panels = panels_of(document)
  if #panels == 0 then return nil end
  local height = TOP + BOTTOM - GAP
  for _, panel in ipairs(panels) do height = height + panel.height + GAP end
  local drawing = svg.new(WIDTH, height + 16, "latency and throughput over time")
  local x = scale.linear(0, document.duration_s, LEFT, WIDTH - RIGHT)
  local top, bottom = TOP + 16, height + 16 - BOTTOM
  draw_time_axis(drawing, document, x, TOP + 16, bottom)
  draw_events(drawing, document, x, bottom)
  for _, panel in ipairs(panels) do
    draw_panel(drawing, document, panel, x, top)
    top = top + panel.height + GAP
  end
  return drawing
end

return M
