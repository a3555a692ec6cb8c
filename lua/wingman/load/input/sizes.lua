--- Sizes from a distribution: functions from a virtual user to a whole number of bytes.
---
---   local size = load.sizes.lognormal(200, 1)
---   exec = function(vu) vu:map "m":set(vu:key(), { text = vu:text(size(vu)) }) end
local M = {}

local exp, floor, max, min = math.exp, math.floor, math.max, math.min

--- No size is above this: one operation has to fit into one message.
M.most = 1000000

local function whole(x) return max(0, min(M.most, floor(x + 0.5))) end

local function check(value, what, low)
  if type(value) ~= "number" or value < low or value > M.most then
    error(("load.sizes.%s: numbers from %g to %d are expected, got %s"):format(what, low, M.most, tostring(value)), 3)
  end
end

---@alias wingman.load.size fun(vu: wingman.load.vu): integer

---@param n integer
---@return wingman.load.size
function M.fixed(n)
  check(n, "fixed", 0)
  return function() return n end
end

--- Every size from `low` to `high` as often.
---@return wingman.load.size
function M.uniform(low, high)
  check(low, "uniform", 0)
  check(high, "uniform", low)
  return function(vu) return vu.rng:int(low, high) end
end

---@param mean number
---@param deviation number
---@return wingman.load.size
function M.normal(mean, deviation)
  check(mean, "normal", 0)
  check(deviation, "normal", 0)
  return function(vu) return whole(mean + deviation * vu.rng:normal()) end
end

--- Many small and a few large ones, as real values are: the logarithm is normal.
---@param median number
---@param sigma number  1: two thirds lie within a factor of e
---@return wingman.load.size
function M.lognormal(median, sigma)
  check(median, "lognormal", 1)
  check(sigma, "lognormal", 0)
  return function(vu) return whole(median * exp(sigma * vu.rng:normal())) end
end

--- Each size with its weight: load.sizes.mix { { 100, 90 }, { 10000, 10 } }.
---@param list { [1]: integer, [2]: number }[]
---@return wingman.load.size
function M.mix(list)
  local sum, steps = 0, {}
  for i, entry in ipairs(list) do
    check(entry[1], "mix", 0)
    check(entry[2], "mix", 0)
    sum = sum + entry[2]
    steps[i] = { entry[1], sum }
  end
  if sum <= 0 then error("load.sizes.mix: a weight above 0 is expected", 2) end
  return function(vu)
    local at = vu.rng:float() * sum
    for i = 1, #steps do
      if at < steps[i][2] then return steps[i][1] end
    end
    return steps[#steps][1]
  end
end

return M
