--- The script of a `wingman bench`: what it runs, and what --save writes for a person who
--- wants to go on from there.
local M = {}

-- For a URL whose query may hold a token: no file has it.
local FROM_VARIABLE = [[
  -- The URL has a query, which may hold a token, and is saved nowhere.
  cluster = assert(os.getenv "WINGMAN_CLUSTER", "the variable WINGMAN_CLUSTER is missing: the URL of the cluster"),
]]

local function quoted(text) return (("%q"):format(text):gsub("\\\n", "\\n")) end

local function executor(options)
  if options.vus then return ('executor = "constant-vus", vus = %d, duration = %s'):format(options.vus, quoted(options.duration)) end
  return ('executor = "constant-arrival-rate", rate = %.14g, duration = %s'):format(options.rate, quoted(options.duration))
end

-- The value of a write: what comes before the test, and the expression inside of it.
local function value(options)
  if options.value.file then
    return ("local values = load.data %s\n"):format(quoted(options.value.file)), "values:next()"
  end
  return ([[
-- One table for all writes: set encodes it at once and keeps nothing of it.
local value = { n = 0, text = ("x"):rep(%d) }
]]):format(options.value.bytes), "value"
end

local function write_function(options, expression)
  local lines = { "local function write(vu)" }
  if expression == "value" then lines[#lines + 1] = "  value.n = vu.iteration" end
  local set = ("vu:map %s:set(vu:key(), %s)"):format(quoted(options.map), expression)
  -- A user of a closed model begins again when its write is acknowledged.
  lines[#lines + 1] = options.vus and ("  assert(vu:wait(%s))"):format(set) or "  " .. set
  lines[#lines + 1] = "end\n"
  return table.concat(lines, "\n")
end

local function warm_up(options, expression)
  if not options.warmup then return nil end
  return ([[
  -- Before the time of the test: nothing of it is measured.
  setup = function(hand)
    local map, ends = hand:map %s, loop.now() + %.14g
    for i = 1, math.huge do
      assert(map:set("key-" .. (i %% %d + 1), %s))
      if i %% 100 == 0 then assert(hand.client:drain()) end
      if loop.now() >= ends then break end
    end
  end,
]]):format(quoted(options.map), options.warmup, options.keys.count, expression)
end

local function thresholds(options)
  if #options.threshold == 0 then return nil end
  local by_metric, order = {}, {}
  for _, one in ipairs(options.threshold) do
    if not by_metric[one.metric] then
      by_metric[one.metric] = {}
      order[#order + 1] = one.metric
    end
    table.insert(by_metric[one.metric], quoted(one.expression))
  end
  local lines = { "  thresholds = {" }
  for _, metric in ipairs(order) do
    lines[#lines + 1] = ("    [%s] = { %s },"):format(quoted(metric), table.concat(by_metric[metric], ", "))
  end
  lines[#lines + 1] = "  },\n"
  return table.concat(lines, "\n")
end

--- The script as text.
---@param options wingman.load.bench_options
---@param hides_cluster boolean|nil  the URL stays out of it: the script reads WINGMAN_CLUSTER
---@return string
function M.text(options, hides_cluster)
  local before, expression = value(options)
  local keys = ("keys = { count = %d, distribution = %s }"):format(options.keys.count, quoted(options.keys.distribution))
  local parts = {
    ("-- The load test of: wingman bench %s\n"):format(options.command),
    'local load = require "wingman.load"\n',
    options.warmup and 'local loop = require "wingman.loop"\n' or "",
    "\n", before, "\n", write_function(options, expression), "\n",
    "return load.test {\n",
    '  name = "bench",\n',
    hides_cluster and FROM_VARIABLE or ("  cluster = %s,\n"):format(quoted(options.cluster)),
    options.connections and ("  client = { connections_per_node = %d },\n"):format(options.connections) or "",
    warm_up(options, expression) or "",
    ("  scenarios = {\n    writes = { %s,\n      %s, exec = write },\n  },\n"):format(executor(options), keys),
    thresholds(options) or "",
    "}\n",
  }
  return table.concat(parts)
end

return M
