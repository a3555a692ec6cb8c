--- From numbers to places on a plot, and the numbers to write beside an axis.
local floor, ceil, log10 = math.floor, math.ceil, math.log10

local M = {}

--- lo .. hi to from .. to.
function M.linear(lo, hi, from, to)
  if hi <= lo then hi = lo + 1 end
  return function(value) return from + (value - lo) / (hi - lo) * (to - from) end
end

--- The same on a logarithmic scale; what is not above `lo` stands at `from`.
function M.log(lo, hi, from, to)
  local a, b = log10(lo), log10(hi)
  if b <= a then b = a + 1 end
  return function(value)
    if value <= lo then return from end
    return from + (log10(value) - a) / (b - a) * (to - from)
  end
end

--- The step of 1, 2 or 5 times a power of ten that gives at most `most` steps.
---@param span number
---@param most integer
---@return number
function M.step(span, most)
  if not (span > 0) then return 1 end
  local power = 10 ^ floor(log10(span / most))
  for _, factor in ipairs { 1, 2, 5, 10 } do
    if span / (power * factor) <= most + 1e-9 then return power * factor end
  end
  return power * 10
end

--- Round numbers within lo .. hi.
---@return number[]
function M.ticks(lo, hi, most)
  local step, list = M.step(hi - lo, most), {}
  for i = ceil(lo / step - 1e-9), floor(hi / step + 1e-9) do list[#list + 1] = i * step + 0 end
  return list
end

--- Powers of ten within lo .. hi, with their 2 and 5 folds while there are few.
---@return number[]
function M.log_ticks(lo, hi, most)
  for _, factors in ipairs { { 1, 2, 5 }, { 1, 3 }, { 1 } } do
    local list = {}
    for power = floor(log10(lo) + 1e-9), ceil(log10(hi) - 1e-9) do
      for _, factor in ipairs(factors) do
        local tick = factor * 10 ^ power
        if tick >= lo * 0.999999 and tick <= hi * 1.000001 then list[#list + 1] = tick end
      end
    end
    if #list <= most or #factors == 1 then return list end
  end
  return {}
end

--- The bounds of a logarithmic axis: the 1, 2 or 5 below the lowest and above the
--- highest value.
---@return number lo, number hi
function M.log_bounds(lowest, highest)
  local function bound(value, round)
    local power = 10 ^ floor(log10(value) + 1e-12)
    local best = power * (round == "down" and 1 or 10)
    for _, factor in ipairs { 1, 2, 5, 10 } do
      local candidate = power * factor
      if round == "down" and candidate <= value * 1.0000001 then best = candidate end
      if round == "up" and candidate >= value * 0.9999999 then return candidate end
    end
    return best
  end
  local lo, hi = bound(lowest, "down"), bound(highest, "up")
  return lo, hi > lo and hi or lo * 10
end

return M
