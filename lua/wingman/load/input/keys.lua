--- Which key comes next: the choosers of YCSB (Cooper et al., "Benchmarking cloud serving
--- systems with YCSB", 2010). A chooser belongs to a scenario; what is random comes from
--- the virtual user, so that a run can be repeated.
local check_options = require("wingman.options.check").check
local random = require "wingman.base.random"

local floor = math.floor

--- So many of a chooser's keys are kept as texts (some 4 MB): making one costs more than a
--- look at one that was made before.
local MOST_KNOWN = 100000

local M = {}

local choosers = {}

function choosers.uniform(options)
  local last = options.count - 1
  return function(vu) return vu.rng:int(0, last) end
end

-- Jim Gray's generator ("Quickly generating billion-record synthetic databases", 1994), as
-- YCSB has it: rank 0 is the most frequent.
local function zipf_ranks(count, theta)
  local zetan = 0
  for i = 1, count do zetan = zetan + 1 / i ^ theta end
  local zeta2 = 1 + 0.5 ^ theta
  local alpha = 1 / (1 - theta)
  local eta = (1 - (2 / count) ^ (1 - theta)) / (1 - zeta2 / zetan)
  return function(rng)
    local u = rng:float()
    local uz = u * zetan
    if uz < 1 then return 0 end
    if uz < zeta2 then return 1 end
    local rank = floor(count * (eta * u - eta + 1) ^ alpha)
    return rank < count and rank or count - 1
  end
end

--- The frequent keys lie anywhere among the others, unless `scrambled = false`.
function choosers.zipf(options)
  local ranks = zipf_ranks(options.count, options.theta)
  if options.scrambled == false then return function(vu) return ranks(vu.rng) end end
  local scattered = random.permutation(options.count)
  return function(vu) return scattered(ranks(vu.rng)) end
end

--- The newest keys are the most frequent ones; vu:insert() and vu:new_key() make them. Those that wait for their
--- acknowledgement, and those after them, are not chosen.
function choosers.latest(options, inserted, shard)
  local ranks = zipf_ranks(options.count, options.theta)
  return function(vu)
    local own = inserted.there - 1 - ranks(vu.rng)
    if own < 0 then return options.count + own end
    return options.count + own * shard.count + shard.index
  end
end

--- One after the other, from the first again after the last. The users of a scenario
--- share the sequence, and shards take turns: 1 of 4 has every fourth.
function choosers.sequential(options, _, shard)
  local count, next_index, step = options.count, shard.index, shard.count
  return function()
    local index = next_index % count
    next_index = next_index + step
    return index
  end
end

--- What the option `keys` of a scenario may hold.
---@type table<string, wingman.option_rule>
M.options = {
  count = { type = "number", default = 10000, whole = true, min = 1, about = "keys that there are" },
  distribution = { type = "string", default = "uniform", one_of = { "uniform", "zipf", "latest", "sequential" },
    about = "how often each is chosen" },
  prefix = { type = "string", default = "key-", about = "what stands before the number of a key" },
  theta = { type = "number", default = 0.99, min = 1e-6, max = 1 - 1e-6, about = "zipf, latest: how unevenly" },
  scrambled = { type = "boolean", default = true, about = "zipf: false: the first keys are the most frequent" },
}

---@class wingman.load.keys
---@field next fun(vu: wingman.load.vu): string     a key that is there, by the distribution
---@field reserve fun(): string, integer            a new key at the end, and its number for `settle`
---@field settle fun(number: integer, is_there: boolean)  from now on a key that is there, or one that `reserve` gives again

--- What rules cannot say of checked options: nil, or what is wrong.
---@param options table
---@return string|nil wrong
function M.problem(options)
  if options.distribution == "zipf" and options.count > random.MOST_PERMUTED then
    return ("count: at most %d keys are possible with zipf"):format(random.MOST_PERMUTED)
  end
end

--- The options with their defaults. Raises a text for what is wrong.
---@param given table
---@param what string  for errors
---@return table options
function M.check(given, what)
  local options = check_options(M.options, given, what, 0)
  local wrong = M.problem(options)
  if wrong then error(what .. ": option " .. wrong, 0) end
  return options
end

local function settle(inserted, number, is_there)
  if not is_there then
    inserted.again[#inserted.again + 1] = number
    return
  end
  inserted.ahead[number] = true
  while inserted.ahead[inserted.there] do
    inserted.ahead[inserted.there] = nil
    inserted.there = inserted.there + 1
  end
end

--- The chooser that the options describe; raises as M.check does.
---@param given table
---@param shard { index: integer, count: integer }
---@param what string  for errors
---@return wingman.load.keys
function M.new(given, shard, what)
  local options = M.check(given, what)
  -- New keys: how many were given out; how many of the first are all there; those behind them that are there, too; and
  -- the numbers that are to be given out again.
  local inserted = { given = 0, there = 0, ahead = {}, again = {} }
  local choose = choosers[options.distribution](options, inserted, shard)
  local prefix = options.prefix
  -- Made beforehand, so that LuaJIT compiles the users' loop with keys that are there.
  local known = {}
  for i = 1, math.min(options.count, MOST_KNOWN) do known[i] = prefix .. i end
  return {
    next = function(vu)
      local index = choose(vu) + 1
      local key = known[index]
      if key then return key end
      return prefix .. index
    end,
    reserve = function()
      local number = table.remove(inserted.again)
      if not number then number, inserted.given = inserted.given, inserted.given + 1 end
      -- New keys of shards do not meet: each takes its own residue.
      return prefix .. (options.count + number * shard.count + shard.index + 1), number
    end,
    settle = function(number, is_there) settle(inserted, number, is_there) end,
  }
end

return M
