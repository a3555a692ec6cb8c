--- One worker of `--workers N`: a thread with a Lua state of its own, which runs its part
--- of the test as a shard and sends its report to the coordinator. Nothing is shared while
--- it runs.
local cjson = require "cjson"
local connection_options = require "wingman.client.options.connection"
local control = require "wingman.load.control.socket"
local document = require "wingman.load.document"
local frames = require "wingman.load.workers.frames"
local load = require "wingman.load"
local loop = require "wingman.loop"
local builtin_metrics = require "wingman.metrics.builtin"
local run_module = require "wingman.load.run"
local script = require "wingman.load.input.script"
local series = require "wingman.metrics.series"
local stream = require "wingman.loop.stream"

local M = {}

-- The test of the script, which is run once more in this state.
local function load_test(task)
  _G.arg = task.args
  _G.arg[0] = task.script
  local chunk, err = loadstring(task.text, task.chunk_name)
  script.set(task.text, task.chunk_name)
  script.look_beside()
  if not chunk then error(err, 0) end
  local test = chunk(unpack(task.args))
  if not load.is_test(test) then error("the script returned no load test to a worker", 0) end
  return test
end

-- The test without what is the coordinator's.
local function part_of(options)
  local part = {}
  for name, value in pairs(options) do part[name] = value end
  part.nemesis, part.setup, part.teardown = {}, nil, nil
  part.thresholds = {}
  for i, one in ipairs(options.thresholds) do
    part.thresholds[i] = setmetatable({ abort = false }, { __index = one })
  end
  return part
end

local function listener_of(peer)
  return {
    ready = function() peer:send { ready = true } end,
    point = function(point)
      local sent = { t_s = point.t_s, counters = point.counters, gauges = point.gauges, lateness_max_s = point.lateness_max_s,
        nodes = point.nodes }
      series.export_latencies(point, sent)
      peer:send { point = sent }
    end,
    log = function(level, event, fields)
      local texts = {}
      for name, value in pairs(fields) do texts[name] = type(value) == "table" and table.concat(value, ",") or tostring(value) end
      peer:send { log = { level, event, texts } }
    end,
    script_error = function(name, traceback) peer:send { script_error = { name, traceback } } end,
  }
end

-- Orders of the coordinator, while the run is under way.
local function obey(run, peer, start)
  while true do
    local message = peer:receive()
    if not message then return run:abort("error", "the coordinator is gone", 0) end
    if message.start_at then start:resolve(message.start_at)
    elseif message.report then
      builtin_metrics.refresh(run)
      peer:send { partial = document.build(run), number = message.report }
    elseif message.metrics then
      builtin_metrics.refresh(run)
      peer:send { partial = { metrics = document.metrics(run, message.metrics) }, number = message.number }
    elseif message.order then
      local answer = control.obey(run, message.order)
      peer:send { answer = answer, number = message.number }
    end
  end
end

local function work(peer)
  local task = assert(peer:receive(30))
  connection_options.adopt(task.connection)
  local test = load_test(task)
  local start = loop.future()
  local run = run_module.new(part_of(test.options), {
    seed = task.seed, shard = task.shard, cluster = task.cluster, data = task.data ~= cjson.null and task.data or nil, script = task.script,
    policy = task.policy and dofile(task.policy) or nil, policy_file = task.policy, listener = listener_of(peer), start_at = start,
    has_read = task.has_read,
  })
  load.attach(run.registry)
  local listening = loop.spawn(obey, run, peer, start)
  local ran = run:execute()
  if ran then peer:send { report = document.build(run) }
  else peer:send { failed = run.reason or "the run could not begin", no_connection = run.connect_error ~= nil } end
  run:close()
  peer:send { unheard = loop.unheard_errors() }
  return listening
end

--- The thread's main function; `path` is the coordinator's socket.
---@param path string
function M.main(path)
  loop.run(function()
    local conn = assert(stream.connect { path = path })
    local peer = frames.new(conn)
    local ok, err = xpcall(work, debug.traceback, peer)
    if not ok then peer:send { failed = tostring(err) } end
    peer:close()
  end)
end

return M
