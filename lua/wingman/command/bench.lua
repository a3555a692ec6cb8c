--- `wingman bench URL`: a load test without a script. It writes the script that a person
--- would have written, and runs that one.
local bench_script = require "wingman.command.bench_script"
local command = require "wingman.command.load"
local connection_options = require "wingman.client.options.connection"
local core = require "wingman.core"
local duration = require "wingman.base.duration"
local keys = require "wingman.load.input.keys"
local nearest = require "wingman.base.nearest"
local rules = require "wingman.load.executor.rules"
local script = require "wingman.base.script"
local threshold = require "wingman.metrics.threshold"
local usage_error = require "wingman.base.usage_error"
local value_of = require "wingman.options.value"

local M = {}

M.help = [[
usage: wingman bench [OPTIONS] [URL]

Load-tests a cluster without a script: writes to it, and reports throughput and latency.
URL is sim://N, topgun://N, or ws://host:port (several with commas between them); default:
the variable WINGMAN_CLUSTER.

  --rate N           writes per second, on a schedule (open model); default 1000
  --vus N            instead of --rate: N virtual users, each of which waits for the
                     acknowledgement before its next write (closed model)
  --duration TIME    length of the measurement; default 10s
  --warmup TIME      unmeasured writes before it; default none
  --value BYTES      size of the text in each value; default 100
  --value file:FILE  values from the rows of a .json, .ndjson or .csv file, in turns
  --keys DISTRIBUTION:COUNT
                     uniform, zipf, latest or sequential; default uniform:10000
  --map NAME         default bench
  --connections N    connections to each node; default 1
  --threshold 'METRIC EXPRESSION'
                     fail the run (exit code 99) unless it holds, such as
                     'op_latency p(99)<50ms'; may be repeated. Defaults: errors count==0
                     and ops_unacknowledged count==0
  --save FILE        write the equivalent script to FILE, and run nothing

Options of `wingman run` that work here, too: --out, --workers, --seed, --policy, --shard,
--start-at, --control, --attach, --prometheus, --keep-awake, --strict, --quiet. See
wingman run --help.

]] .. connection_options.USAGE .. [[

exit codes: 0 passed, 99 a threshold failed, 98 --strict and the generator was late or
dropped iterations, 3 no connection, 2 usage error, 130 interrupted
]]

---@class wingman.load.bench_options
---@field command string        the arguments, as they were given
---@field cluster string
---@field rate number|nil       writes a second; nil: `vus` is set
---@field vus integer|nil
---@field duration string
---@field warmup number|nil     seconds
---@field value_bytes integer
---@field value_file string|nil
---@field keys { distribution: string, count: integer }
---@field map string
---@field connections integer|nil
---@field thresholds { metric: string, expression: string }[]
---@field save string|nil

local readers = {}

--- Seconds: what a scenario lasts at most.
local LONGEST = rules.LONGEST

local function whole_number(value, least, most)
  local number = tonumber(value)
  if number and number % 1 == 0 and number >= least and number <= most then return number end
  return nil, ("a whole number from %d to %d is expected, got '%s'"):format(least, most, value)
end

function readers.rate(into, value)
  into.rate = tonumber(value)
  if into.rate and into.rate > 0 and into.rate < math.huge then return true end
  return nil, ("writes a second are expected, got '%s'"):format(value)
end

function readers.vus(into, value)
  local wrong
  into.vus, wrong = whole_number(value, 1, 1e6)
  return into.vus, wrong
end

local function seconds(value)
  local read = duration.parse(value)
  if read and read > 0 and read <= LONGEST then return read end
  return nil, ("a time like 10s or 1m30s, of at most %d s, is expected, got '%s'"):format(LONGEST, value)
end

function readers.duration(into, value)
  into.duration = value
  return seconds(value)
end

function readers.warmup(into, value)
  local wrong
  into.warmup, wrong = seconds(value)
  return into.warmup, wrong
end

function readers.value(into, value)
  into.value_file = value:match "^file:(.+)$"
  if into.value_file then return true end
  local wrong
  into.value_bytes, wrong = whole_number(value, 0, 1000000)
  return into.value_bytes, wrong and wrong:gsub("is expected", "or file:FILE is expected")
end

function readers.keys(into, value)
  local distribution, count = value:match "^(%a+):(%d+)$"
  count = tonumber(count or value:match "^%d+$")
  local is_known = not distribution or value_of.read(keys.options.distribution, distribution)
  if not count or count < 1 or not is_known then
    local forms = keys.options.distribution.one_of
    return nil, ("DISTRIBUTION:COUNT is expected (one of %s), got '%s'%s"):format(table.concat(forms, ", "), value,
      nearest.hint(distribution, forms))
  end
  into.keys = { distribution = distribution or "uniform", count = count }
  return true
end

function readers.map(into, value)
  into.map = value
  return value ~= "", "a name is expected"
end

function readers.connections(into, value)
  local wrong
  into.connections, wrong = whole_number(value, 1, 64)
  return into.connections, wrong
end

function readers.threshold(into, value)
  local metric, expression = value:match "^%s*(.-[%w_}])%s+(%S.*)$"
  if not metric then return nil, ("'METRIC EXPRESSION' like 'op_latency p(99)<50ms' is expected, got '%s'"):format(value) end
  local ok, wrong = pcall(threshold.read, { [metric] = expression })
  if not ok then return nil, wrong end
  table.insert(into.thresholds, { metric = metric, expression = expression })
  return true
end

function readers.save(into, value)
  into.save = value
  return value ~= "", "a file's name is expected"
end

local function takes_value(name) return readers[name] or command.valued[name] end

-- Own options from the arguments; those of `wingman run` go into `rest`. Nil and what is wrong.
local function parse(args)
  local into = { duration = "10s", value_bytes = 100, keys = { distribution = "uniform", count = 10000 }, map = "bench", thresholds = {} }
  local rest, i = {}, 1
  while args[i] do
    local name, value = args[i]:match "^%-%-([%a-]+)=?(.*)$"
    if not name then
      if into.cluster then return nil, ("one URL is expected, got '%s' and '%s'"):format(into.cluster, args[i]) end
      into.cluster = args[i]
    else
      if not takes_value(name) and not command.flags[name] then
        return nil, nearest.unknown_flag(args[i], readers, command.valued, command.flags, connection_options.valued,
          connection_options.flags)
      end
      if takes_value(name) and not args[i]:find("=", 1, true) then
        i = i + 1
        value = args[i]
        if not value then return nil, ("--%s: a value is missing"):format(name) end
      end
      if command.flags[name] and args[i]:find("=", 1, true) then return nil, ("--%s takes no value, got '%s'"):format(name, value) end
      if readers[name] then
        local ok, wrong = readers[name](into, value)
        if not ok then return nil, ("--%s: %s"):format(name, wrong) end
      else
        rest[#rest + 1] = command.flags[name] and "--" .. name or ("--%s=%s"):format(name, value)
      end
    end
    i = i + 1
  end
  return into, rest
end

-- Writes that are refused are no success, whatever the latency of the others is; a threshold of
-- one's own on errors says otherwise.
local function expect_no_errors(thresholds)
  for _, one in ipairs(thresholds) do
    if one.metric:match "^[%w_]+" == "errors" then return end
  end
  table.insert(thresholds, { metric = "errors", expression = "count==0" })
end

local function complete(options)
  local variable = os.getenv "WINGMAN_CLUSTER"
  options.cluster = options.cluster or variable ~= "" and variable or nil
  if not options.cluster then return nil, "a URL is missing, such as sim://3 or ws://host:port" end
  if options.rate and options.vus then return nil, "one of --rate and --vus, not both" end
  if not options.vus then options.rate = options.rate or 1000 end
  expect_no_errors(options.thresholds)
  return true
end

-- As a person would type it again.
local function as_typed(args)
  local words = {}
  for i, word in ipairs(args) do words[i] = word:match "^[%w_./:,=%%+-]+$" or "'" .. word:gsub("'", [['\'']]) .. "'" end
  return table.concat(words, " "):gsub("%c", " ")
end

local function save(options, text)
  local there = io.open(options.save)
  if there then
    there:close()
    return nil, ("--save: '%s' exists, and may have been edited: choose another name or remove it"):format(options.save)
  end
  local ok, err = core.replace_file(options.save, text)
  if not ok then return nil, "--save: " .. err end
  io.stdout:write(("%s is written; wingman run %s does the same as this command\n"):format(options.save, options.save))
  return 0
end

local function usage(wrong)
  io.stderr:write("wingman bench: ", wrong, "\n")
  return 2
end

--- The exit code.
---@param args string[]
---@return integer
function M.main(args)
  for _, word in ipairs(args) do
    if word == "--help" or word == "-h" then
      io.stdout:write(M.help)
      return 0
    end
  end
  local own, wrong = connection_options.take(args)
  if not own then return usage(wrong) end
  local options, rest = parse(own)
  if not options then return usage(rest) end
  local ok
  ok, wrong = complete(options)
  if not ok then return usage(wrong) end
  options.command = as_typed(own) -- without the flags of connections: a proxy's URL may hold a password
  local text = bench_script.text(options)
  if options.save then
    local code
    code, wrong = save(options, text)
    return code or usage(wrong)
  end
  script.set(text, "=wingman bench")
  local made, test = pcall(assert(loadstring(text, script.chunk_name)))
  if not made then return usage(usage_error.is(test) and test.reason:gsub("^load%.test: ", "") or tostring(test)) end
  return command.main(test, rest, { [0] = "wingman bench" })
end

return M
