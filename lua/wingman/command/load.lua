--- `wingman run` for scripts that return a load test: options, the run, its report, the
--- exit code.
local coordinator = require "wingman.load.workers.coordinator"
local core = require "wingman.core"
local control = require "wingman.load.control.socket"
local connection_options = require "wingman.client.options.connection"
local check_options = require "wingman.options.check"
local console = require "wingman.command.load_console"
local document = require "wingman.load.document"
local interrupt = require "wingman.client.interrupt"
local help = require "wingman.command.load_help"
local keep_awake = require "wingman.command.keep_awake"
local load = require "wingman.load"
local loop = require "wingman.loop"
local duration = require "wingman.base.duration"
local endpoint = require "wingman.report.output.endpoint"
local exit_codes = require "wingman.command.exit_codes"
local measures = require "wingman.metrics.builtin"
local nearest = require "wingman.base.nearest"
local policies = require "wingman.policy.list"
local prompt_server = require "wingman.repl.server"
local report = require "wingman.report"
local run_module = require "wingman.load.run"
local same_file = require "wingman.report.same_file"
local script = require "wingman.base.script"
local shard = require "wingman.load.shard"

local M = {}

--- See wingman.command.exit_codes.
M.codes = exit_codes

local by_signal = { SIGINT = M.codes.interrupted, SIGTERM = M.codes.terminated, SIGHUP = M.codes.hung_up }

--- The options with a value, and those without.
M.valued = { out = true, policy = true, seed = true, shard = true, ["start-at"] = true, control = true, workers = true, attach = true, prometheus = true }
M.flags = { strict = true, quiet = true, help = true, ["keep-awake"] = true }

--- Seconds until --start-at: shards that wait for longer were given another unit.
local LONGEST_WAIT_S = 7 * 86400
--- More than any scheduler starts at once; numbers of partitions and of users stay exact.
local MOST_SHARDS = 1e6

local function usage(format, ...)
  return nil, "wingman run: " .. format:format(...)
end

local readers = {}

function readers.out(into, value)
  local format, wrong = report.parse_target(value)
  if not format then return usage("--out: %s", wrong) end
  into.out = into.out or {}
  into.out[#into.out + 1] = value
  return true
end

function readers.seed(into, value)
  into.seed = tonumber(value)
  if not into.seed or into.seed % 1 ~= 0 or math.abs(into.seed) >= 2 ^ 53 then
    return usage("--seed: a whole number below 2^53 is expected, got '%s'", value)
  end
  return true
end

function readers.shard(into, value)
  local index, count = value:match "^(%d+)/(%d+)$"
  index, count = tonumber(index), tonumber(count)
  if not index or count < 1 or index >= count or count > MOST_SHARDS then
    return usage("--shard: I/N with I from 0 to N-1 is expected, and N up to %d, got '%s'", MOST_SHARDS, value)
  end
  into.shard = { index = index, count = count }
  return true
end

readers["start-at"] = function(into, value)
  local now, from_now = core.wall_ms() / 1000, duration.parse(value:match "^%+(.+)$")
  into.start_at = from_now and now + from_now or tonumber(value)
  if not into.start_at or not (into.start_at >= 0) then
    return usage("--start-at: Unix seconds, or +DURATION from now (+10s), are expected, got '%s'", value)
  end
  if into.start_at <= now + LONGEST_WAIT_S then return true end
  return usage("--start-at: '%s' is more than %d days away; Unix seconds are expected, not milliseconds, or +DURATION from now (+10s)",
    value, LONGEST_WAIT_S / 86400)
end

function readers.workers(into, value)
  into.workers = tonumber(value)
  if not into.workers or into.workers % 1 ~= 0 or into.workers < 1 or into.workers > 256 then
    return usage("--workers: a whole number from 1 to 256 is expected, got '%s'", value)
  end
  if into.workers == 1 then into.workers = nil end
  return true
end

function readers.control(into, value)
  into.control = value
  return true
end

function readers.attach(into, value)
  into.attach = value
  return true
end

function readers.prometheus(into, value)
  local wrong = endpoint.check_address(value)
  if wrong then return usage("--prometheus: %s", wrong) end
  into.prometheus = value
  return true
end

function readers.policy(into, value)
  local chunk, err = loadfile(value)
  if not chunk then return usage("--policy: %s", err) end
  local ok, policy = pcall(chunk)
  if not ok then return usage("--policy: %s", tostring(policy)) end
  if type(policy) ~= "table" then return usage("--policy: '%s' returns no table", value) end
  local _, wrong = check_options.read(policies.rules, policy)
  if wrong then return usage("--policy: '%s': %s", value, wrong) end
  into.policy, into.policy_file = policy, value
  return true
end

--- Reads options from a list; what is none is left in `rest`. Nil and why not.
---@param args string[]
---@return table|nil options, string|nil err
function M.parse(args)
  local into = { rest = {} }
  local i = 1
  while args[i] do
    local name, value = args[i]:match "^%-%-([%a-]+)=?(.*)$"
    if name and M.flags[name] then
      if args[i]:find("=", 1, true) then return usage("--%s takes no value, got '%s'", name, value) end
      into[(name:gsub("-", "_"))] = true
    elseif name and M.valued[name] then
      if not args[i]:find("=", 1, true) then
        i = i + 1
        value = args[i]
      end
      if not value then return usage("--%s: a value is missing", name) end
      local ok, err = readers[name](into, value)
      if not ok then return nil, err end
    elseif name then
      return usage("%s", nearest.unknown_flag(args[i], M.valued, M.flags, connection_options.valued, connection_options.flags))
    else
      into.rest[#into.rest + 1] = args[i]
    end
    i = i + 1
  end
  return into
end

-- How a run that was ended early ends: by a signal, or by an order of `wingman ctl`.
local function interrupted_code(options) return by_signal[options.signal or "SIGINT"] end

local function writes_json(options)
  for _, target in ipairs(options.out or {}) do
    if target:match "^json=" then return true end
  end
  return false
end

local function is_part(options) return options.shard ~= nil and shard.is_part(options.shard) end

-- A rank of MPI that ends with anything but 0 ends the others, and with them the reports that
-- `report merge` judges. A report that is missing then is missed there.
local function sparing_others(code, options)
  if code == 0 or not (options.is_rank and is_part(options) and writes_json(options)) then return code end
  io.stderr:write(("wingman run: shard %d of %d would end with %d, and ends with 0: MPI would end the other shards with it. "
    .. "`wingman report merge` says how the run went\n"):format(options.shard.index, options.shard.count, code))
  return 0
end

local function exit_code(result, options, written)
  local strict = options.strict and not is_part(options)
  local code = exit_codes.of(result, strict)
  if strict then exit_codes.tell_strict("wingman run", result) end
  if code == exit_codes.interrupted then code = interrupted_code(options) end
  if code == 0 and not written then code = exit_codes.script_error end
  return sparing_others(code, options)
end

-- The targets of --out, with the number of the shard in their names.
local function targets_of(options)
  local targets = {}
  for i, target in ipairs(options.out or {}) do
    targets[i] = target:gsub("{shard}", tostring(options.shard and options.shard.index or 0))
  end
  return targets
end

local function check_targets(options)
  local targets = targets_of(options)
  for _, target in ipairs(targets) do
    local ok, err = report.check_target(target)
    if not ok then return usage("--out %s: %s", target, err) end
  end
  local wrong = same_file.find(targets)
  if wrong then return usage("--out: %s", wrong) end
  return true
end

local function write_reports(result, options)
  local all = true
  for _, target in ipairs(targets_of(options)) do
    local ok, err = report.write(result, target)
    if not ok then
      io.stderr:write("wingman run: ", tostring(err), "\n")
      all = false
    end
  end
  return all
end

-- The shard of the command line, or the one that the environment speaks of.
local function find_shard(options)
  options.is_rank = shard.is_rank(os.getenv)
  if options.shard then return true end
  local found, err = shard.find(os.getenv)
  if err then return usage("%s", err) end
  options.shard = found
  return true
end

-- What can be looked at and steered while it runs; a function that ends it.
local function open_to_others(run, options, build)
  local ends = {}
  if options.control then
    local stop, err = control.start(run, options.control)
    if not stop then return usage("--control: %s", err) end
    ends[#ends + 1] = stop
  end
  if options.attach then
    local prompts, err = prompt_server.listen(options.attach, { client = run.client, run = run, steering = run.steering })
    if not prompts then return usage("--attach: %s", err) end
    ends[#ends + 1] = function() prompts:close() end
  end
  if options.prometheus then
    local served, err = endpoint.serve(options.prometheus, build)
    if not served then return usage("--prometheus: %s", err) end
    ends[#ends + 1] = function() served:close() end
  end
  return function()
    for _, stop in ipairs(ends) do stop() end
  end
end

-- What a failure to begin means for the exit code.
local function refused(reason, code)
  io.stderr:write(reason, "\n")
  return nil, code
end

-- Takes signals from before the connection to the end of the teardown; the function ends that.
local function take_signals(run, options)
  local function signalled(signal)
    options.signal = options.signal or signal
    run:abort("interrupted", "interrupted by " .. signal, 1)
  end
  interrupt.on(signalled)
  return function() interrupt.off(signalled) end
end

-- Listens while it runs; the function ends that. `built` is the document at any time.
local function attend(run, options, built)
  options.listener.watch(run)
  local close, wrong = open_to_others(run, options, built)
  if not close then run:abort("error", wrong) end
  return function()
    if close then close() end
    return wrong
  end
end

-- What the end of a run that left no document means for the exit code.
local function no_document(reason, outcome, no_connection, options)
  if outcome == "interrupted" then return refused("wingman: " .. reason, interrupted_code(options)) end
  return refused("wingman run: " .. reason, no_connection and M.codes.no_connection or M.codes.script_error)
end

-- In this thread. The document; or nil and the exit code.
local function run_here(test, options)
  local run = run_module.new(test.options, options)
  load.attach(run.registry)
  local leave
  local release = take_signals(run, options)
  options.listener.ready = function()
    leave = attend(run, options, function()
      measures.refresh(run)
      return document.build(run)
    end)
  end
  local ran = run:execute()
  local wrong = leave and leave()
  local result = ran and not wrong and document.build(run)
  run:close()
  release()
  if wrong then return refused(wrong, M.codes.usage) end
  if result then return result end
  return no_document(run.reason or "the run could not begin", run.outcome, run.connect_error, options)
end

-- In threads.
local function run_with_workers(test, options)
  local leave, release
  local result, err, no_connection = coordinator.execute(test, options, {
    begun = function(run) release = take_signals(run, options) end,
    made = function(run, workers) leave = attend(run, options, function() return assert(workers:partial()) end) end,
  })
  local wrong = leave and leave()
  release()
  if wrong then return refused(wrong, M.codes.usage) end
  if result then return result end
  return no_document(tostring(err), options.signal and "interrupted", no_connection, options)
end

-- A task of the loop. The exit code.
local function run_and_tell(test, options)
  local awake, cannot
  if options.keep_awake then
    awake, cannot = keep_awake.start()
    if not awake then return select(2, refused("wingman run: --keep-awake: " .. cannot, M.codes.script_error)) end
    options.processors_awake = awake.processors
  end
  options.listener = console.new(options)
  local result, failed = (options.workers and run_with_workers or run_here)(test, options)
  if awake then awake:stop() end
  if not result then return sparing_others(failed, options) end
  options.listener.ended(result)
  local written = write_reports(result, options)
  return exit_code(result, options, written)
end

local function asks_for_help(words)
  for _, word in ipairs(words) do
    if word == "--help" or word == "-h" then return true end
  end
  return false
end

--- Runs a test and shows it.
---@param test wingman.load.test
---@param before string[]  the arguments in front of the script
---@param args string[]    those behind it, with its name at 0
---@return integer exit code
function M.main(test, before, args)
  local all = {}
  for _, list in ipairs { before, args } do
    for _, word in ipairs(list) do all[#all + 1] = word end
  end
  if asks_for_help(all) then
    io.stdout:write(help.of(test.options, args[0], script.text))
    return 0
  end
  local known, options, wrong
  all, wrong = connection_options.take(all)
  if all then options, wrong = M.parse(all) else wrong = "wingman run: " .. wrong end
  if options then known, wrong = find_shard(options) end
  if known then known, wrong = check_targets(options) end
  if not known then
    io.stderr:write(wrong, "\n")
    return M.codes.usage
  end
  options.script, options.script_args = args[0], args
  options.script_text, options.chunk_name = script.text, script.chunk_name
  return loop.run(run_and_tell, test, options)
end

return M
