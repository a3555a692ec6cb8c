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

local function read_function(options)
  local text = ([[
-- Asks the owner of the key, and waits for its answer. What fails is counted.
local function read(vu) vu:map %s:read(vu:key()) end
]]):format(quoted(options.map))
  if options.read == 1 then return text end
  return text .. ([[

-- %g %% of the operations are reads.
local function read_or_write(vu)
  if vu:random() < %.14g then read(vu) else write(vu) end
end
]]):format(options.read * 100, options.read)
end

--- Keys that are looked for before the test, of all.
local LOOKED_FOR = 1000

local function key_functions(options, expression)
  local write_keys = options.loaded and "" or ([[
-- Reads are to find something. Each shard writes all keys, so that none begins before they are there.
local function write_keys(map)
  for i = 1, %d do assert(map:set("key-" .. i, %s)) end
end

]]):format(options.keys.count, expression)
  return write_keys .. ([[
-- Looks for keys that lie evenly among all. The first reads of a client also open what they go through.
local function expect_keys(map)
  local wanted, missing = {}, 0
  for i = 1, %d, %d do wanted[#wanted + 1] = "key-" .. i end
  local found = assert(map:read(wanted, { timeout = "60s" }))
  for _, key in ipairs(wanted) do
    if found[key] == nil then missing = missing + 1 end
  end
  if missing > 0 then
    error(("%%d of %%d keys that were looked for are not in the map '%%s'"):format(missing, #wanted, map.name), 0)
  end
end
]]):format(options.keys.count, math.ceil(options.keys.count / LOOKED_FOR))
end

-- One operation of the warm-up.
local function warm_operation(options, expression)
  local write = ("assert(map:set(key, %s))"):format(expression)
  if options.read == 0 then return write end
  local read = "assert(select(2, map:read(key)) == nil)"
  if options.read == 1 then return read end
  return ("if math.random() < %.14g then %s else %s end"):format(options.read, read, write)
end

-- Before the time of the test.
local function set_up(options, expression)
  if not options.warmup and options.read == 0 then return "" end
  local lines = { "  -- Before the time of the test: nothing of it is measured.", "  setup = function(hand)" }
  local function add(format, ...) lines[#lines + 1] = "    " .. format:format(...) end
  add("local map = hand:map %s", quoted(options.map))
  if options.read > 0 then
    if not options.loaded then add "write_keys(map)" end
    if not options.loaded then add "assert(hand.client:drain())" end
    add "expect_keys(map)"
  end
  if options.warmup then
    add("local ends = loop.now() + %.14g", options.warmup)
    add "for i = 1, math.huge do"
    add('  local key = "key-" .. (i %% %d + 1)', options.keys.count)
    add("  %s", warm_operation(options, expression))
    add "  if i %% 100 == 0 then assert(hand.client:drain()) end"
    add "  if loop.now() >= ends then break end"
    add "end"
  end
  lines[#lines + 1] = "  end,\n"
  return table.concat(lines, "\n")
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

-- The functions in front of the test; the name of the scenario, and that of what it does.
local function functions(options)
  local before, expression = value(options)
  local parts, writes = {}, options.read < 1
  local function add(text) parts[#parts + 1] = text .. "\n" end
  if writes or not options.loaded then add(before) end
  if writes then add(write_function(options, expression)) end
  if options.read == 0 then return table.concat(parts), expression, "writes", "write" end
  add(read_function(options))
  add(key_functions(options, expression))
  return table.concat(parts), expression, writes and "mixed" or "reads", writes and "read_or_write" or "read"
end

--- The script as text.
---@param options wingman.load.bench_options
---@param hides_cluster boolean|nil  the URL stays out of it: the script reads WINGMAN_CLUSTER
---@return string
function M.text(options, hides_cluster)
  local before, expression, scenario, exec = functions(options)
  local keys = ("keys = { count = %d, distribution = %s }"):format(options.keys.count, quoted(options.keys.distribution))
  local parts = {
    ("-- The load test of: wingman bench %s\n"):format(options.command),
    'local load = require "wingman.load"\n',
    options.warmup and 'local loop = require "wingman.loop"\n' or "",
    "\n", before,
    "return load.test {\n",
    '  name = "bench",\n',
    hides_cluster and FROM_VARIABLE or ("  cluster = %s,\n"):format(quoted(options.cluster)),
    options.connections and ("  client = { connections_per_node = %d },\n"):format(options.connections) or "",
    set_up(options, expression),
    ("  scenarios = {\n    %s = { %s,\n      %s, exec = %s },\n  },\n"):format(scenario, executor(options), keys, exec),
    thresholds(options) or "",
    "}\n",
  }
  return table.concat(parts)
end

return M
