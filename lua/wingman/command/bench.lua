--- `wingman bench URL`: a load test without a script. It writes the script that a person
--- would have written, and runs that one.
local bench_script = require "wingman.command.bench_script"
local command = require "wingman.command.load"
local command_line = require "wingman.options.arguments"
local connection_options = require "wingman.client.options.connection"
local core = require "wingman.core"
local duration = require "wingman.base.duration"
local keys = require "wingman.load.input.keys"
local nearest = require "wingman.base.nearest"
local rules = require "wingman.load.executor.rules"
local script = require "wingman.load.input.script"
local threshold = require "wingman.metrics.threshold"
local url = require "wingman.base.url"
local usage = require "wingman.options.usage"
local usage_errors = require "wingman.base.usage_error"
local value_of = require "wingman.options.value"

local M = {}

M.help = [[
usage: wingman bench [OPTIONS] [URL]

Load-tests a cluster without a script: writes to it, or reads and writes, and reports
throughput and latency.
URL is sim://N, topgun://N, or ws://host:port (several with commas between them); default:
the variable WINGMAN_CLUSTER.

  --rate N           operations per second, on a schedule (open model); default 1000
  --vus N            instead of --rate: N virtual users, each of which waits for the
                     acknowledgement of its write, or for what it reads, before it goes
                     on (closed model)
  --read SHARE       the share of the operations that read a key from its owner: 0.95 or
                     95%; default 0. The keys are written first, and are not measured
  --loaded           with --read: the keys are in the map already; write none first
  --duration TIME    length of the measurement; default 10s
  --warmup TIME      unmeasured operations before it; default none
  --value BYTES      size of the text in each value; default 100
  --value file:FILE  values from the rows of a .json, .ndjson or .csv file, in turns
  --keys DISTRIBUTION:COUNT
                     uniform, zipf, latest or sequential; default uniform:10000
  --map NAME         default bench
  --connections N    connections to each node; default 1
  --threshold 'METRIC EXPRESSION'
                     fail the run (exit code 99) unless it holds, such as
                     'op_latency p(99)<50ms' or 'read_latency p(99)<5ms'; may be repeated.
                     Defaults: errors count==0, ops_unacknowledged count==0, and with
                     --read also reads_failed count==0 and reads_absent count==0
  --save FILE        write the equivalent script to FILE, and run nothing

Options of `wingman run` that work here, too: --out, --workers, --seed, --policy, --shard,
--start-at, --control, --attach, --prometheus, --keep-awake, --strict, --quiet. See
wingman run --help.

]] .. connection_options.USAGE .. [[

exit codes: 0 passed, 99 a threshold failed, 98 --strict and the generator was late or
dropped iterations, 3 no connection, 2 usage error, 130 interrupted
]]

---@class wingman.load.bench_options
---@field command string        the command line, without secrets
---@field cluster string
---@field rate number|nil       operations a second; nil: `vus` is set
---@field vus integer|nil
---@field read number           share of the operations that read, 0 to 1
---@field loaded boolean|nil    the keys are there already
---@field duration string
---@field warmup number|nil     seconds
---@field value { bytes: integer|nil, file: string|nil }
---@field keys { distribution: string, count: integer }
---@field map string
---@field connections integer|nil
---@field threshold { metric: string, expression: string }[]
---@field save string|nil

--- Bytes of a value's text at most.
local LARGEST_VALUE = 1000000
--- Seconds: what a scenario lasts at most.
local LONGEST = rules.LONGEST

local TIME = ("a time like 10s or 1m30s, of at most %d s,"):format(LONGEST)

local function is_time(value)
  local read = duration.parse(value)
  return read ~= nil and read > 0 and read <= LONGEST
end

local function read_value(text)
  local file, bytes = text:match "^file:(.+)$", tonumber(text)
  if file then return { file = file } end
  if bytes and bytes % 1 == 0 and bytes >= 0 and bytes <= LARGEST_VALUE then return { bytes = bytes } end
  return nil, ("a whole number from 0 to %d or file:FILE is expected, got '%s'"):format(LARGEST_VALUE, text)
end

local function read_keys(text)
  local distribution, count = text:match "^(%a+):(%d+)$"
  count = tonumber(count or text:match "^%d+$")
  local is_known = not distribution or value_of.read(keys.options.distribution, distribution)
  if not count or count < 1 or not is_known then
    local forms = keys.options.distribution.one_of
    return nil, ("DISTRIBUTION:COUNT is expected (one of %s), got '%s'%s"):format(table.concat(forms, ", "), text,
      nearest.hint(distribution, forms))
  end
  return { distribution = distribution or "uniform", count = count }
end

local function read_share(text)
  local percent = text:match "^%s*(.-)%s*%%$"
  local share = tonumber(percent or text)
  if share and percent then share = share / 100 end
  if share and share >= 0 and share <= 1 then return share end
  return nil, ("a share from 0 to 1, or a percentage like 95%%, is expected, got '%s'%s"):format(text,
    share and share > 1 and share <= 100 and ("; did you mean %g%%?"):format(share) or "")
end

local function read_threshold(text)
  local metric, expression = text:match "^%s*(.-[%w_}])%s+(%S.*)$"
  if not metric then return nil, ("'METRIC EXPRESSION' like 'op_latency p(99)<50ms' is expected, got '%s'"):format(text) end
  local ok, wrong = pcall(threshold.read, { [metric] = expression })
  if not ok then return nil, wrong end
  return { metric = metric, expression = expression }
end

-- Its own options.
local OWN = {
  rate = { type = "number", is_right = function(number) return number > 0 end, expected = "a number of operations a second" },
  vus = { type = "number", whole = true, min = 1, max = 1e6 },
  read = { type = "string", default = 0, read = read_share },
  loaded = { type = "boolean" },
  duration = { type = "string", default = "10s", is_right = is_time, expected = TIME },
  warmup = { type = "duration", is_right = is_time, expected = TIME },
  value = { type = "string", default = { bytes = 100 }, read = read_value },
  keys = { type = "string", default = { distribution = "uniform", count = 10000 }, read = read_keys },
  map = { type = "string", default = "bench" },
  connections = { type = "number", whole = true, min = 1, max = 64 },
  threshold = { type = "table", read = read_threshold },
  save = { type = "string" },
}

--- All options, for wingman.options.arguments.
M.RULES = command_line.all(OWN, command.RULES, connection_options.RULES)

-- Adds "count==0" for a metric that no threshold is about: what went wrong is no success, whatever the latency of
-- the rest is.
local function expect_none(thresholds, metric)
  for _, one in ipairs(thresholds) do
    if one.metric:match "^[%w_]+" == metric then return end
  end
  table.insert(thresholds, { metric = metric, expression = "count==0" })
end

local function complete(options)
  local variable = os.getenv "WINGMAN_CLUSTER"
  if options.words[2] then
    return nil, ("one URL is expected, got '%s' and '%s'"):format(url.shown(options.words[1]), url.shown(options.words[2]))
  end
  options.cluster = options.words[1] or variable ~= "" and variable or nil
  if not options.cluster then return nil, "a URL is missing, such as sim://3 or ws://host:port" end
  if options.rate and options.vus then return nil, "one of --rate and --vus, not both" end
  if not options.vus then options.rate = options.rate or 1000 end
  if options.loaded and options.read == 0 then return nil, "--loaded needs --read: writes need no keys that are there" end
  expect_none(options.threshold, "errors")
  if options.read > 0 then
    expect_none(options.threshold, "reads_failed")
    expect_none(options.threshold, "reads_absent")
  end
  return true
end

-- As a person would type it again.
local function quoted(word) return word:match "^[%w_./:,=%%+-]+$" or "'" .. word:gsub("'", [['\'']]) .. "'" end

-- The options; nil and what is wrong. `command` in them is the command line without the options of connections, since a
-- proxy's URL may hold a password, and without a token in the cluster's.
local function read(args)
  local typed = {}
  local options, wrong = command_line.read(M.RULES, args, { seen = function(name, ...)
    if connection_options.RULES[name] then return end
    for _, word in ipairs { ... } do typed[#typed + 1] = quoted(word) end
  end })
  if not options or options.help then return options, wrong end
  local ok
  ok, wrong = complete(options)
  if not ok then return nil, wrong end
  if options.words[1] then table.insert(typed, 1, quoted(url.shown(options.words[1]))) end
  options.command = table.concat(typed, " "):gsub("%c", " ")
  return options
end

local function save(options)
  local there = io.open(options.save)
  if there then
    there:close()
    return nil, ("--save: '%s' exists, and may have been edited: choose another name or remove it"):format(options.save)
  end
  local is_secret = url.shown(options.cluster) ~= options.cluster
  local ok, err = core.replace_file(options.save, bench_script.text(options, is_secret))
  if not ok then return nil, "--save: " .. err end
  io.stdout:write(("%s is written; %swingman run %s does the same as this command\n"):format(options.save,
    is_secret and "with the URL in the variable WINGMAN_CLUSTER, " or "", options.save))
  return true
end

local function usage_error(...) return usage.refuse("bench", ...) end

--- The exit code.
---@param args string[]
---@return integer
function M.main(args)
  local options, wrong = read(args)
  local code = usage.answer("bench", M.help, options, wrong)
  if code then return code end
  connection_options.choose(options)
  if options.save then
    local ok
    ok, wrong = save(options)
    return ok and 0 or usage_error(wrong)
  end
  local text = bench_script.text(options)
  script.set(text, "=wingman bench")
  local made, test = pcall(assert(loadstring(text, script.chunk_name)))
  if not made then return usage_error(usage_errors.is(test) and test.reason:gsub("^load%.test: ", "") or tostring(test)) end
  local of_run = {}
  for name in pairs(command.RULES) do of_run[name] = options[name] end
  return command.main(test, of_run, { [0] = "wingman bench" })
end

return M
