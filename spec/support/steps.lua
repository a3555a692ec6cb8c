--- Ticks of a host, measured: what each step took by the clock and of the processor.
--- The processor's time is the one that a spec can hold to: on a busy machine a step may
--- be interrupted for longer than all its work takes.
local ffi = require "ffi"
local loop = require "wingman.loop"

pcall(ffi.cdef, [[
typedef struct spec_timespec { long seconds; long nanoseconds; } spec_timespec;
int clock_gettime(int clock, spec_timespec *out);
]])

local M = {}

local MONOTONIC, THREAD_CPU = 1, 3
local time = ffi.new "spec_timespec"

local function clock(id)
  ffi.C.clock_gettime(id, time)
  return tonumber(time.seconds) * 1e6 + tonumber(time.nanoseconds) / 1e3
end

--- Microseconds of the clock, and those that this thread has worked.
function M.now() return clock(MONOTONIC) end
function M.worked() return clock(THREAD_CPU) end

--- Steps until `condition()`; the microseconds of each step.
---@param condition fun(): any
---@param budget_us number
---@param seconds number
---@return number[] worked, boolean reached
function M.run(condition, budget_us, seconds)
  local worked, limit = {}, M.now() + seconds * 1e6
  while not condition() do
    if M.now() > limit then return worked, false end
    local before = M.worked()
    loop.step(budget_us)
    worked[#worked + 1] = M.worked() - before
  end
  return worked, true
end

--- The value that a share of the values does not exceed.
---@param values number[]
---@param share number  0 .. 1
function M.percentile(values, share)
  local sorted = {}
  for i = 1, #values do sorted[i] = values[i] end
  table.sort(sorted)
  return sorted[math.max(1, math.ceil(#sorted * share))]
end

--- Lets time pass without a step.
function M.idle(seconds)
  local until_us = M.now() + seconds * 1e6
  while M.now() < until_us do end
end

return M
