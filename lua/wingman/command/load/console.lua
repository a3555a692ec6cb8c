--- What a run says while it runs: a live view at a terminal, else plain lines. Warnings
--- and errors go to standard error.
local live = require "wingman.command.load.live_view"
local log_fields = require "wingman.text.log_fields"
local report = require "wingman.report"
local text_table = require "wingman.text.table"
local work = require "wingman.metrics.work"

local M = {}

local function write(text)
  io.stdout:write(text)
  io.stdout:flush()
end

local verbs = { write = "acked", read = "reads", query = "queries" }

-- The rate and the latency of each kind of work in this second.
local function work_of(point)
  local c, parts = point.counters, {}
  for _, kind in ipairs(work) do
    if c[kind.count] > 0 or kind.name == "write" and c.ops_recorded > 0 then
      local h = point[kind.series]
      parts[#parts + 1] = ("%s %s/s  p50 %s  p99 %s"):format(text_table.count(c[kind.count]), verbs[kind.name],
        text_table.duration(h:percentile(50) / 1e6), text_table.duration(h:percentile(99) / 1e6))
    end
  end
  return parts
end

local function plain_point(point)
  local parts = work_of(point)
  if #parts == 0 then parts[1] = text_table.count(point.counters.iterations) .. " iterations/s" end
  if point.counters.ops_recorded > 0 or point.counters.ops_acked > 0 then parts[#parts + 1] = ("in flight %d"):format(point.gauges.in_flight) end
  return ("%7.1f s  %s  users %d"):format(point.t_s + 1, table.concat(parts, "  "), point.gauges.vus)
end

local function log_line(level, event, fields)
  return ("wingman: %s %s %s"):format(level, event, log_fields.format(fields))
end

-- A report on standard output is for a program, which is to find nothing else there.
local function has_report_on_output(options)
  for _, target in ipairs(options.out or {}) do
    if target:match "=%-$" then return true end
  end
  return false
end

---@param options { quiet: boolean|nil, out: string[]|nil }
---@return table listener  of wingman.load.run
function M.new(options)
  local listener = {}
  local terminal = report.terminal()
  local view = not options.quiet and live.is_possible() and live.new(terminal, write)
  local run

  local function say(text)
    if options.quiet then return end
    if view then view:say(text) else write(text .. "\n") end
  end
  -- Above the live view, or it would tear it.
  local function complain(text)
    if view then view:say(text) else io.stderr:write(text, "\n") end
  end

  --- The run that is shown.
  function listener.watch(given) run = given end

  function listener.point(point)
    if view and run then view:show(run, point, run.planned_s) else say(plain_point(point)) end
  end
  function listener.fault(fault)
    say(("%7.1f s  %s %s%s"):format(fault.at_s, fault.action, fault.target, fault.ok and "" or ": " .. tostring(fault.detail)))
  end
  function listener.log(level, event, fields)
    if options.quiet and level ~= "error" then return end
    complain(log_line(level, event, fields))
  end
  function listener.waiting(seconds) say(("begins in %.1f s"):format(seconds)) end
  function listener.late_start(seconds)
    complain(("wingman run: --start-at was %.1f s ago; this shard begins late"):format(seconds))
  end
  function listener.script_error(name, traceback) complain(("wingman run: scenario '%s': %s"):format(name, traceback)) end

  function listener.ended(result)
    if view then view:close() end
    if not options.quiet then return write(report.summary(result, terminal)) end
    if has_report_on_output(options) then return io.stderr:write(report.headline(result)) end
    write(report.headline(result))
  end
  return listener
end

return M
