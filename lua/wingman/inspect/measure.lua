--- Measures how long a function takes: once, or repeatedly.
local duration = require "wingman.base.duration"
local histogram = require "wingman.base.histogram"
local loop = require "wingman.loop"
local text_table = require "wingman.text.table"
local view = require "wingman.inspect.view"

local M = {}

--- How long calls are repeated (seconds), and how long one batch of them lasts.
local DURATION, BATCH = 0.5, 0.001

--- Calls a function: the seconds that it took, and what it returned.
---@param fn function
---@return number seconds, any ...
function M.time(fn, ...)
  local began = loop.now()
  return (function(...) return loop.now() - began, ... end)(fn(...))
end

local function shown(seconds)
  if seconds < 1e-6 then return ("%.1f ns"):format(seconds * 1e9) end
  if seconds < 1e-4 then return ("%.2f us"):format(seconds * 1e6) end
  return text_table.duration(seconds)
end

local function render(data)
  return ("%s calls: p50 %s, p99 %s, max %s a call, %s calls a second, %.0f bytes of garbage a call%s\n"):format(
    text_table.count(data.calls), shown(data.p50), shown(data.p99), shown(data.max),
    text_table.count(data.per_second), data.garbage, data.batch > 1 and (" (means of %d calls)"):format(data.batch) or "")
end

local function repeat_calls(fn, n)
  local began = loop.now()
  for _ = 1, n do fn() end
  return loop.now() - began
end

-- So many calls that the clock's own time does not count.
local function calibrate(fn)
  local n = 1
  while true do
    local took = repeat_calls(fn, n)
    if took >= BATCH then return n end
    n = took > 0 and math.min(n * 10, math.max(n + 1, math.ceil(n * BATCH / took))) or n * 10
  end
end

--- Calls a function for half a second, in batches between which the loop runs: calls,
--- batch (calls of one measurement), p50, p99, max (seconds a call), per_second, garbage
--- (bytes a call).
---@param fn function
---@param time number|string|nil  a duration, in place of the half second
---@return table
function M.bench(fn, time)
  local most = duration.check(time or DURATION, "bench", 2)
  local batch = calibrate(fn)
  local times = histogram.new(1e12, 3) -- picoseconds, up to a second a call
  local calls, spent, garbage, measured = 0, 0, 0, 0
  local began = loop.now()
  while loop.now() - began < most or calls == 0 do
    local before = collectgarbage "count"
    local took = repeat_calls(fn, batch)
    local grown = collectgarbage "count" - before
    if grown >= 0 then -- else the collector has run meanwhile
      garbage, measured = garbage + grown * 1024, measured + batch
    end
    times:record(took / batch * 1e12)
    calls, spent = calls + batch, spent + took
    loop.sleep(0)
  end
  local result = {
    calls = calls, batch = batch, per_second = calls / spent, garbage = measured > 0 and garbage / measured or 0,
    p50 = times:percentile(50) / 1e12, p99 = times:percentile(99) / 1e12, max = times:max() / 1e12,
  }
  times:close()
  return view.of(result, render)
end

return M
