--- What a run says while it runs: plain lines.
local report = require "wingman.load.report"
local text_table = require "wingman.text_table"

local M = {}

local function line(...) io.stdout:write(...) io.stdout:write "\n" io.stdout:flush() end

---@param options { quiet: boolean|nil }
---@return table listener  of wingman.load.run
function M.new(options)
  local listener = {}
  local function say(format, ...)
    if not options.quiet then line(format:format(...)) end
  end
  function listener.point(point)
    local c = point.counters
    say("%7.1f s  %s acked/s  p50 %s  p99 %s  in flight %d  users %d", point.t_s + 1, text_table.count(c.ops_acked),
      text_table.duration(point.latency:percentile(50) / 1e6), text_table.duration(point.latency:percentile(99) / 1e6),
      point.gauges.in_flight, point.gauges.vus)
  end
  function listener.fault(fault)
    say("%7.1f s  %s %s%s", fault.at_s, fault.action, fault.target, fault.ok and "" or ": " .. tostring(fault.detail))
  end
  function listener.log(level, event, fields)
    if level ~= "warn" and level ~= "error" then return end
    local parts = {}
    for name, value in pairs(fields) do
      parts[#parts + 1] = name .. "=" .. (type(value) == "table" and table.concat(value, ",") or tostring(value))
    end
    table.sort(parts)
    io.stderr:write("wingman: ", level, " ", event, " ", table.concat(parts, " "), "\n")
  end
  function listener.waiting(seconds) say("begins in %.1f s", seconds) end
  function listener.late_start(seconds)
    io.stderr:write(("wingman run: --start-at was %.1f s ago; this shard begins late\n"):format(seconds))
  end
  function listener.script_error(name, traceback)
    io.stderr:write("wingman run: scenario '", name, "': ", traceback, "\n")
  end
  function listener.ended(result)
    if not options.quiet then io.stdout:write(report.summary(result, report.terminal())) end
  end
  return listener
end

return M
