--- The options that several executors have, and how much a scenario may ask for.
local M = {}

--- Seconds: 31 years, whose microseconds a number still counts one by one.
M.LONGEST = 1e9
--- Iterations a second: hundreds of times what a processor can begin.
M.HIGHEST_RATE = 1e9
--- Users of a scenario. Each is a coroutine with its state, at least 1 KB: more would not fit in memory.
M.MOST_VUS = 1e6
--- Seconds that a number of iterations may take.
M.LONGEST_ITERATIONS = 600

---@param about string
---@return wingman.option_rule
local function time(about)
  return { type = "duration", min = 0, max = M.LONGEST, expected = ("a duration of at most %d s"):format(M.LONGEST), about = about }
end

-- The same rule for an executor that does nothing without the option.
local function required(rule)
  local copy = { required = true }
  for field, value in pairs(rule) do copy[field] = value end
  return copy
end

M.time, M.required = time, required

M.vus = { type = "number", whole = true, min = 1, max = M.MOST_VUS, about = "number of users; default, where iterations are counted: 1" }
M.iterations = { type = "number", whole = true, min = 1, about = "number of iterations: of each user (per-vu-iterations) or in all (shared-iterations)" }
M.duration = time "how long new iterations are begun"
M.max_duration = time "how long all iterations may take; default 10m"
M.time_unit = time "the time that rates are counted in: rate = 60 with \"1m\" is one a second; default 1s"
M.rate = { type = "number", min = 0, about = "iterations that begin in a time_unit" }
M.pre_allocated_vus = { type = "number", whole = true, min = 1, max = M.MOST_VUS, about = "users at the start; default 1" }
M.max_vus = { type = "number", whole = true, min = 1, max = M.MOST_VUS, about = "users at most; default of open models: 1000" }

--- A list of { duration, target }; what the target is says `target`.
---@param target wingman.option_rule
---@return wingman.option_rule
function M.stages(target)
  return {
    type = "table", required = true, about = "a list of { duration = , target = }: the value changes linearly from the previous target to this one",
    each = { duration = required(time "length of the stage"), target = required(target) },
  }
end

--- The length of all stages, in seconds.
---@param stages { duration: number }[]
---@return number
function M.length(stages)
  local sum = 0
  for _, stage in ipairs(stages) do sum = sum + stage.duration end
  return sum
end

return M
