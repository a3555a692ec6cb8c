--- Latency by percentile: the tail is where the news is, so each further nine gets
--- the same room, and latency is logarithmic. Lines are named at their ends.
local format = require "wingman.text.quantities"
local scale = require "wingman.report.plot.scale"
local svg = require "wingman.report.plot.svg"

local M = {}

local WIDTH, HEIGHT = 952, 340
local LEFT, RIGHT, TOP, BOTTOM = 62, 150, 22, 40
local classes = { "main", "second", "third", "fourth" }
local STEPS = 240

---@class wingman.report.percentile_line
---@field name string
---@field histogram wingman.histogram
---@field step number   seconds (or the unit) in one step of the histogram
---@field class string|nil

-- Nines, from 0: log10(1 / (1 - q)) of a percentile 100 q.
local function nines(percentile) return -math.log10(1 - percentile / 100) end
local function percentile_at(n) return 100 * (1 - 10 ^ -n) end

-- One record more or less is all that the last nine can say.
local function deepest(lines)
  local most = 0
  for _, line in ipairs(lines) do most = math.max(most, line.histogram:count()) end
  return math.max(1, math.min(7, math.log10(math.max(most, 10))))
end

local function tick_text(n)
  if n < 1 then return n == 0 and "0 %" or "50 %" end
  return "9" .. (n > 1 and "9" or "0") .. (n > 2 and "." .. ("9"):rep(n - 2) or "") .. " %"
end

local function draw_x_axis(drawing, x, depth)
  local bottom = HEIGHT - BOTTOM
  for _, n in ipairs { 0, math.log10(2), 1, 2, 3, 4, 5, 6, 7 } do
    if n <= depth + 1e-9 then
      drawing:line(x(n), TOP, x(n), bottom, "grid")
      drawing:text(x(n), bottom + 16, tick_text(n), "dim", "middle")
    end
  end
  drawing:line(LEFT, bottom, WIDTH - RIGHT, bottom, "axis")
  drawing:text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "percentile of the operations", "dim", "middle")
end

local function draw_y_axis(drawing, y, lo, hi, unit)
  for _, tick in ipairs(scale.log_ticks(lo, hi, 9)) do
    drawing:line(LEFT, y(tick), WIDTH - RIGHT, y(tick), "grid")
    drawing:text(LEFT - 8, y(tick) + 4, format.quantity(tick, unit):gsub("%.0+ ", " "), "dim", "end")
  end
end

-- The line of a histogram: a level for each stretch of percentiles that has it.
local function points_of(line, x, y, depth)
  local h, points = line.histogram, {}
  local own = math.min(depth, math.log10(math.max(h:count(), 10)))
  for i = 0, STEPS do
    local n = own * i / STEPS
    points[#points + 1] = { x(n), y(h:percentile(percentile_at(n)) * line.step) }
  end
  points[#points + 1] = { x(own), y(h:max() * line.step) }
  return points
end

-- Names and maxima at the lines' ends, moved apart where they would cover each other.
local function draw_names(drawing, ends)
  table.sort(ends, function(a, b) return a.y < b.y end)
  local free = -math.huge
  for _, e in ipairs(ends) do free = math.max(free + 15, e.y + 4); e.at = free end
  local over = ends[#ends] and ends[#ends].at + 14 - (HEIGHT - BOTTOM) or 0
  for _, e in ipairs(ends) do
    local at = e.at - math.max(0, over)
    drawing:text(e.x + 8, at, ("%s, %s"):format(e.name, e.value), "halo " .. e.class)
  end
end

local function draw_limits(drawing, limits, x, y, depth, lo, hi)
  for _, limit in ipairs(limits) do
    local n = nines(limit.percentile)
    if n <= depth and limit.value >= lo and limit.value <= hi then
      local at, class = y(limit.value), limit.passed and "good" or "bad"
      drawing:line(x(n) - 16, at, x(n) + 16, at, "limit " .. class)
      local text = ("p%g < %s"):format(limit.percentile, (format.duration(limit.value):gsub("%.0+ ", " ")))
      drawing:text(x(n), at - 6, text, "halo " .. class, "middle")
    end
  end
end

local function bounds(lines, limits)
  local lowest, highest = math.huge, 0
  for _, line in ipairs(lines) do
    lowest = math.min(lowest, math.max(line.histogram:min(), 1) * line.step)
    highest = math.max(highest, line.histogram:max() * line.step)
  end
  for _, limit in ipairs(limits) do highest = math.max(highest, math.min(limit.value, highest * 20)) end
  return scale.log_bounds(lowest, highest)
end

--- The plot. Lines without a record are left out; nil when all are.
---@param lines wingman.report.percentile_line[]  the first is the main one
---@param options { unit: string|nil, limits: { percentile: number, value: number, passed: boolean }[]|nil, label: string|nil, late: boolean|nil }|nil
---@return wingman.report.svg|nil
function M.draw(lines, options)
  options = options or {}
  local shown = {}
  for _, line in ipairs(lines) do if line.histogram:count() > 0 then shown[#shown + 1] = line end end
  if #shown == 0 then return nil end
  local limits = options.limits or {}
  local depth, lo, hi = deepest(shown), bounds(shown, limits)
  local drawing = svg.new(WIDTH, HEIGHT, options.label or "latency by percentile")
  local x = scale.linear(0, depth, LEFT, WIDTH - RIGHT)
  local y = scale.log(lo, hi, HEIGHT - BOTTOM, TOP)
  draw_y_axis(drawing, y, lo, hi, options.unit or "s")
  draw_x_axis(drawing, x, depth)
  local ends = {}
  for i = #shown, 1, -1 do
    local line = shown[i]
    local class = line.class or classes[i] or "faint"
    local points = points_of(line, x, y, depth)
    drawing:path(points, class)
    local last = points[#points]
    ends[#ends + 1] = { x = last[1], y = last[2], name = line.name, class = class,
      value = format.quantity(line.histogram:max() * line.step, options.unit or "s") }
  end
  draw_limits(drawing, limits, x, y, depth, lo, hi)
  if options.late then drawing:text(WIDTH - RIGHT + 8, HEIGHT - BOTTOM + 16, "generator late", "bad") end
  draw_names(drawing, ends)
  return drawing
end

return M
