--- `wingman run` for scripts that return a load test: options, the run, its report, the
--- exit code.
local coordinator = require "wingman.load.workers.coordinator"
local core = require "wingman.core"
local control = require "wingman.load.control.socket"
local check_options = require "wingman.options.check"
local console = require "wingman.command.load.console"
local document = require "wingman.load.document"
local interrupt = require "wingman.client.interrupt"
local help = require "wingman.command.load.help"
local keep_awake = require "wingman.load.keep_awake"
local load = require "wingman.load"
local loop = require "wingman.loop"
local duration = require "wingman.base.duration"
local endpoint = require "wingman.report.output.endpoint"
local exit_codes = require "wingman.report.exit_codes"
local builtin_metrics = require "wingman.metrics.builtin"
local policies = require "wingman.policy.list"
local prompt_server = require "wingman.repl.server"
local report = require "wingman.report"
local run_module = require "wingman.load.run"
local same_file = require "wingman.report.same_file"
local script = require "wingman.load.input.script"
local shard = require "wingman.load.shard"
local usage = require "wingman.options.usage"

local M = {}

--- See wingman.report.exit_codes.
M.codes = exit_codes

local by_signal = { SIGINT = M.codes.interrupted, SIGTERM = M.codes.terminated, SIGHUP = M.codes.hung_up }

--- Seconds until --start-at: shards that wait for longer were given another unit.
local LONGEST_WAIT_S = 7 * 86400
--- More than any scheduler starts at once; numbers of partitions and of users stay exact.
local MOST_SHARDS = 1e6
local LARGEST_SEED = 2 ^ 53 - 1

local function read_target(text)
  local format, wrong = report.parse_target(text)
  if not format then return nil, wrong end
  return text
end

local function read_shard(text)
  local index, count = text:match "^(%d+)/(%d+)$"
  index, count = tonumber(index), tonumber(count)
  if index and count >= 1 and index < count and count <= MOST_SHARDS then return { index = index, count = count } end
  return nil, ("I/N with I from 0 to N-1 is expected, and N up to %d, got '%s'"):format(MOST_SHARDS, text)
end

local function read_start_at(text)
  local now, from_now = core.wall_ms() / 1000, duration.parse(text:match "^%+(.+)$")
  local start_at = from_now and now + from_now or tonumber(text)
  if not start_at or not (start_at >= 0) then
    return nil, ("Unix seconds, or +DURATION from now (+10s), are expected, got '%s'"):format(text)
  end
  if start_at <= now + LONGEST_WAIT_S then return start_at end
  return nil, ("'%s' is more than %d days away; Unix seconds are expected, not milliseconds, or +DURATION from now (+10s)")
    :format(text, LONGEST_WAIT_S / 86400)
end

local function read_address(text)
  local wrong = endpoint.check_address(text)
  if wrong then return nil, wrong end
  return text
end

local function read_policies(path)
  local chunk, err = loadfile(path)
  if not chunk then return nil, err end
  local ok, given = pcall(chunk)
  if not ok then return nil, tostring(given) end
  if type(given) ~= "table" then return nil, ("'%s' returns no table"):format(path) end
  local _, wrong = check_options.read(policies.rules, given)
  if wrong then return nil, ("'%s': %s"):format(path, wrong) end
  return { file = path, policies = given }
end

--- The options of every load test, for wingman.options.arguments.
---@type table<string, wingman.option_rule>
M.RULES = {
  out = { type = "table", read = read_target }, policy = { type = "string", read = read_policies },
  seed = { type = "number", whole = true, min = -LARGEST_SEED, max = LARGEST_SEED, expected = "a whole number below 2^53" },
  shard = { type = "string", read = read_shard }, start_at = { type = "string", read = read_start_at },
  workers = { type = "number", whole = true, min = 1, max = 256 },
  control = { type = "string" }, attach = { type = "string" }, prometheus = { type = "string", read = read_address },
  keep_awake = { type = "boolean" }, strict = { type = "boolean" }, quiet = { type = "boolean" },
}

-- How a run that was ended early ends: by a signal, or by an order of `wingman ctl`.
local function interrupted_code(options) return by_signal[options.signal or "SIGINT"] end

local function writes_json(options)
  for _, target in ipairs(options.out) do
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
  for i, target in ipairs(options.out) do
    targets[i] = target:gsub("{shard}", tostring(options.shard and options.shard.index or 0))
  end
  return targets
end

local function check_targets(options)
  local targets = targets_of(options)
  for _, target in ipairs(targets) do
    local ok, err = report.check_target(target)
    if not ok then return nil, ("--out %s: %s"):format(target, err) end
  end
  local wrong = same_file.find(targets)
  if wrong then return nil, "--out: " .. wrong end
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
  if err then return nil, err end
  options.shard = found
  return true
end

-- What can be looked at and steered while it runs; a function that ends it.
local function open_to_others(run, options, build)
  local ends = {}
  if options.control then
    local stop, err = control.start(run, options.control)
    if not stop then return nil, "--control: " .. err end
    ends[#ends + 1] = stop
  end
  if options.attach then
    local prompts, err = prompt_server.listen(options.attach, { client = run.client, run = run, steering = run.steering })
    if not prompts then return nil, "--attach: " .. err end
    ends[#ends + 1] = function() prompts:close() end
  end
  if options.prometheus then
    local served, err = endpoint.serve(options.prometheus, build)
    if not served then return nil, "--prometheus: " .. err end
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
      builtin_metrics.refresh(run)
      return document.build(run)
    end)
  end
  local ran = run:execute()
  local wrong = leave and leave()
  local result = ran and not wrong and document.build(run)
  run:close()
  release()
  if wrong then return nil, usage.refuse("run", wrong) end
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
  if wrong then return nil, usage.refuse("run", wrong) end
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

-- What the options say together.
local function complete(options)
  local ok, wrong = find_shard(options)
  if ok then ok, wrong = check_targets(options) end
  if not ok then return nil, wrong end
  if options.workers == 1 then options.workers = nil end
  if options.policy then options.policy_file, options.policy = options.policy.file, options.policy.policies end
  return true
end

--- Runs a test and shows it.
---@param test wingman.load.test
---@param options table    as wingman.options.arguments reads them by M.RULES
---@param args string[]    the script's arguments, with its name at 0
---@return integer exit code
function M.main(test, options, args)
  if options.help then
    io.stdout:write(help.of(test.options, args[0], script.text))
    return 0
  end
  local ok, wrong = complete(options)
  if not ok then return usage.refuse("run", wrong) end
  options.script, options.script_args = args[0], args
  options.script_text, options.chunk_name = script.text, script.chunk_name
  return loop.run(run_and_tell, test, options)
end

return M
