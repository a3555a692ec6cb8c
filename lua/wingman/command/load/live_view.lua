--- The live view of a run at a terminal: a block of lines that is drawn anew each second;
--- what happens (faults, nodes, warnings) stays above it.
local ffi = require "ffi"
local duration = require "wingman.base.duration"
local text_table = require "wingman.text.table"
local work = require "wingman.metrics.work"
require "wingman.text.terminal" -- declares isatty

local M = {}

local STDOUT = 1
local BAR_MAX = 30

--- Whether standard output is a terminal that can be drawn on.
function M.is_possible() return ffi.C.isatty(STDOUT) == 1 and os.getenv "TERM" ~= "dumb" end

---@class wingman.load.live
---@field package lines integer  of the block that stands there now
local methods = {}
methods.__index = methods

local function is_utf8()
  for _, name in ipairs { "LC_ALL", "LC_CTYPE", "LANG" } do
    local value = os.getenv(name)
    if value and value ~= "" then return value:lower():find "utf%-?8" ~= nil end
  end
  return false
end

---@param options { colour: boolean, width: integer }
---@param write fun(text: string)
---@return wingman.load.live
function M.new(options, write)
  local utf8 = is_utf8()
  return setmetatable({
    write = write, width = options.width, colour = options.colour, lines = 0, full = utf8 and "█" or "#", empty = utf8 and "░" or ".",
    acked = {}, is_shown = {},
  }, methods)
end

local function bar(self, share, width)
  local filled = math.floor(math.max(0, math.min(1, share)) * width + 0.5)
  return self.full:rep(filled) .. self.empty:rep(width - filled)
end

local function paint(self, code, text) return self.colour and ("\27[%sm%s\27[0m"):format(code, text) or text end

-- Takes the block away; what is written then stands in its place.
local function clear(self)
  if self.lines > 0 then self.write(("\27[%dA\27[J"):format(self.lines)) end
  self.lines = 0
end

--- Writes a line that stays.
---@param text string
function methods:say(text)
  clear(self)
  self.write(text .. "\n")
  if self.block then self:draw(self.block) end
end

--- Draws the block; its lines are cut to the terminal's width, so that none wraps.
---@param block { text: string, paint: string|nil }[]
function methods:draw(block)
  clear(self)
  self.block = block
  local parts = {}
  for i, line in ipairs(block) do
    local text, columns = {}, 0
    for character in line.text:gmatch "[%z\1-\127\194-\244][\128-\191]*" do
      if columns == self.width - 1 then break end
      columns = columns + 1
      text[columns] = character
    end
    parts[i] = line.paint and paint(self, line.paint, table.concat(text)) or table.concat(text)
  end
  self.write(table.concat(parts, "\n") .. "\n")
  self.lines = #block
end

--- Takes the block away for good.
function methods:close()
  clear(self)
  self.block = nil
end

local function scenario_lines(self, run, block)
  for _, scenario in ipairs(run.scenarios) do
    local state, what = scenario.state, ""
    if state == "running" and scenario.executor.target then
      what = scenario.executor.schedule and text_table.count(scenario.executor:target()) .. "/s"
        or text_table.count(scenario.executor:target()) .. " users"
    end
    block[#block + 1] = { text = ("  %-14s %-22s %-9s %-12s %s iterations%s"):format(scenario.name, scenario.options.executor,
      scenario.paused and "paused" or state, what, text_table.count(scenario.iterations),
      scenario.dropped > 0 and (", %s dropped"):format(text_table.count(scenario.dropped)) or "") }
  end
end

local function node_lines(self, point, block)
  local most = 1
  for _, node in ipairs(point.nodes) do
    node.rate = node.acked - (self.acked[node.id] or 0)
    self.acked[node.id] = node.acked
    most = math.max(most, node.rate)
  end
  for _, node in ipairs(point.nodes) do
    block[#block + 1] = { text = ("  %-14s %s %8s/s%s"):format(node.id, bar(self, node.rate / most, BAR_MAX), text_table.count(node.rate),
      node.usable and "" or "   not connected"), paint = not node.usable and "31" or nil }
  end
end

-- A line for reads, and one for queries, from the first second on that has some.
local function read_lines(self, point, block)
  for _, kind in ipairs(work) do
    local count, h = point.counters[kind.count], point[kind.series]
    self.is_shown[kind] = self.is_shown[kind] or count > 0
    if kind.name ~= "write" and self.is_shown[kind] then
      block[#block + 1] = { text = ("  %s %s/s   p50 %s   p99 %s"):format(text_table.count(count), kind.many,
        text_table.duration(h:percentile(50) / 1e6), text_table.duration(h:percentile(99) / 1e6)) }
    end
  end
end

--- The block of a second.
---@param run wingman.load.run
---@param point table  from wingman.metrics.series, with `nodes`
---@param planned_s number
function methods:show(run, point, planned_s)
  local elapsed = point.t_s + 1
  local share = planned_s > 0 and math.min(1, elapsed / planned_s) or 0
  local c, g = point.counters, point.gauges
  local block = {
    { text = ("%s  %s of %s  %s %d %%"):format(run.options.name or "load test", duration.text(elapsed), duration.text(planned_s),
      bar(self, share, BAR_MAX), math.floor(share * 100 + 0.5)), paint = "1" },
    { text = ("  %s acknowledged/s   p50 %s   p99 %s   late at most %s"):format(text_table.count(c.ops_acked),
      text_table.duration(point.latency:percentile(50) / 1e6), text_table.duration(point.latency:percentile(99) / 1e6),
      text_table.duration(point.lateness_max_s)) },
  }
  read_lines(self, point, block)
  block[#block + 1] = { text = ("  in flight %s   in the log %s   users %s   cpu %.2f   errors %s"):format(text_table.count(g.in_flight),
    text_table.count(g.log_depth), text_table.count(g.vus), g.cpu, text_table.count(c.errors)), paint = c.errors > 0 and "33" or nil }
  scenario_lines(self, run, block)
  node_lines(self, point, block)
  self:draw(block)
end

return M
