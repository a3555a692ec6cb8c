--- A run with `--workers N`: this thread has the cluster, set-up, teardown, the plan of
--- faults, steering and the display; the workers have the scenarios.
local connection_options = require "wingman.client.options.connection"
local core = require "wingman.core"
local loop = require "wingman.loop"
local merge_metrics = require "wingman.report.merge.metrics"
local document_module = require "wingman.load.document"
local run_module = require "wingman.load.run"
local steering = require "wingman.load.control.steering"
local threshold = require "wingman.metrics.threshold"
local url = require "wingman.base.url"
local workers_module = require "wingman.load.workers"

local spoiled, outcome_of = document_module.spoiled, document_module.outcome

local M = {}

-- Orders to all workers in place of the scenarios of this thread, which has none.
local function steering_of(workers, run)
  local function order(words)
    local answers = workers:order(words)
    if not answers then return nil, "a worker did not answer" end
    for _, answer in ipairs(answers) do
      if not answer.ok then return nil, answer.error end
    end
    return true
  end
  local function status()
    local sum
    for _, answer in ipairs(workers:order "status" or {}) do
      sum = sum or answer
      if sum ~= answer then
        sum.log_depth = sum.log_depth + answer.log_depth
        for i, one in ipairs(answer.scenarios) do
          for _, field in ipairs { "iterations", "dropped", "users", "busy" } do
            sum.scenarios[i][field] = sum.scenarios[i][field] + one[field]
          end
        end
      end
    end
    return sum or { name = run.options.name, elapsed_s = run:elapsed(), planned_s = 0, scenarios = {}, log_depth = 0, state = run.state }
  end
  return {
    pause = function(_, name) return order("pause " .. (name or "")) end,
    resume = function(_, name) return order("resume " .. (name or "")) end,
    rate = function(_, rate, name)
      local ok, err = steering.check_rate(rate)
      if not ok then return nil, err end
      return order(("rate %.17g %s"):format(rate, name or ""))
    end,
    vus = function(_, count, name)
      local ok, err = steering.check_vus(count)
      if not ok then return nil, err end
      return order(("vus %d %s"):format(count, name or ""))
    end,
    log = function(_, level)
      local ok, err = steering.check_level(level)
      if not ok then return nil, err end
      run.log_level = level -- this thread has a client, too
      return order("log " .. level)
    end,
    status = status,
  }
end

-- Without the script's name at 0, which would make an object of the list in JSON.
local function copy_list(list)
  local copy = {}
  for i, value in ipairs(list) do copy[i] = value end
  return copy
end

-- Where a value has something in it that no other thread can be given; nil: nowhere.
local function unsendable(value, place)
  local kind = type(value)
  if kind == "string" or kind == "number" or kind == "boolean" or kind == "nil" then return nil end
  if kind ~= "table" then return place, kind end
  for key, part in pairs(value) do
    if type(key) ~= "string" and type(key) ~= "number" then return place, "table with a " .. type(key) .. " as a key" end
    local where, what = unsendable(part, type(key) == "number" and ("%s[%d]"):format(place, key) or place .. "." .. key)
    if where then return where, what end
  end
end

-- The run of this thread: everything but scenarios.
local function without_scenarios(options)
  local own = {}
  for name, value in pairs(options) do own[name] = value end
  own.scenarios, own.thresholds, own.connections, own.follow = {}, {}, "shared", {}
  return own
end

-- Thresholds that end a run are looked at once a second, by what they need alone: workers
-- that make whole reports for it are late by that.
local function check_aborting(run, workers, thresholds)
  local names = {}
  for _, one in ipairs(thresholds) do
    if one.abort and run:elapsed() >= one.delay then names[one.name] = true end
  end
  if next(names) == nil then return end
  local metrics = workers:metrics(names)
  for i, one in ipairs(metrics and thresholds or {}) do
    local value = names[one.name] and one.abort and merge_metrics.value(metrics, one, run:elapsed())
    if value and not threshold.passes(one, value) and run:elapsed() >= one.delay and not run.outcome then
      run.crossed = i
      run:abort("aborted", ("threshold %s on %s was crossed after %.1f s"):format(one.expression, one.metric, run:elapsed()))
    end
  end
end

-- What this thread knows and the workers do not.
local function complete(document, run, options, outer)
  document.faults = run.faults
  document.shards = { { index = outer.index, count = outer.count, workers = options.workers, started_at = document.started_at,
    duration_s = document.duration_s } }
  document.environment.cluster = type(run.options.cluster) == "string" and url.shown(run.options.cluster) or document.environment.cluster
  document.environment.processors_awake = options.processors_awake
  local passed = true
  for _, one in ipairs(document.thresholds) do passed = passed and one.passed end
  -- A worker that made a mistake has said so, unless this thread has ended the run itself.
  if run.outcome or spoiled(run) or document.outcome == "passed" or document.outcome == "failed" then
    document.outcome = outcome_of(run, passed, outer)
    document.reason = document.outcome ~= "failed" and (run.reason or spoiled(run)) or nil
  end
  document.finished = document.finished and run.outcome == nil
  if run.crossed then document.thresholds[run.crossed].aborted = true end
  return document
end

--- Runs a test with options.workers threads. The document, or nil, err; then the second
--- value that follows says whether nobody could be reached.
---@param test wingman.load.test
---@param options table  of the command line
---@param hooks { begun: fun(run: wingman.load.run), made: fun(run: wingman.load.run, workers: table) }  `begun`: before
---  it connects; `made`: all workers are there
---@return table|nil document, string|nil err, boolean|nil no_connection
function M.execute(test, options, hooks)
  local outer = options.shard or { index = 0, count = 1 }
  local run = run_module.new(without_scenarios(test.options), {
    seed = options.seed, shard = outer, listener = options.listener, policy = options.policy, policy_file = options.policy_file,
    script = options.script, start_at = loop.future(),
  })
  hooks.begun(run)
  local function leave(err, no_connection)
    run:close()
    return nil, err, no_connection
  end
  if not run:prepare() then return leave(run.reason or "the run could not begin", run.connect_error ~= nil) end
  local place, kind = unsendable(run.data, "data")
  if place then
    run:abort("error", "")
    run:tear_down()
    return leave(("setup returned what a worker cannot be given: %s is a %s (texts, numbers, booleans and tables of them can)")
      :format(place, kind))
  end
  local cluster = run.client:cluster()
  local workers, err = workers_module.start {
    count = options.workers, outer = outer, listener = options.listener,
    task = {
      text = options.script_text, chunk_name = options.chunk_name, script = options.script or "-", args = copy_list(options.script_args),
      seed = options.seed or test.options.seed or 1, policy = options.policy_file, data = run.data,
      cluster = cluster and { urls = cluster.urls, token = cluster.token } or nil,
      connection = connection_options.chosen(), has_read = run.client.listeners.is_open,
    },
  }
  if not workers then return leave(err) end
  run.steering = steering_of(workers, run)
  local aborts = false
  for _, one in ipairs(test.options.thresholds) do aborts = aborts or one.abort end
  workers.on_point = function(point)
    if options.listener.point then options.listener.point(point) end
    if aborts and not run.outcome then loop.spawn(check_aborting, run, workers, test.options.thresholds) end
  end
  function run:abort(outcome, reason)
    if not self.outcome then self.outcome, self.reason = outcome, reason end
    loop.spawn(function() workers:order "stop" end)
  end
  run.planned_s = 0
  for _, one in ipairs(test.options.scenarios) do
    run.planned_s = math.max(run.planned_s, one.options.start_time + one.options.seconds)
  end
  hooks.made(run, workers)
  if workers.all_ready:wait(60) then
    local start_at = options.start_at or core.wall_ms() / 1000 + workers_module.HEAD_START
    workers:begin(start_at)
    run.given.start_at:resolve(start_at)
    run:begin()
    if run.outcome then loop.spawn(function() workers:order "stop" end) end -- it was ended before
  else
    run:abort("error", workers.failure or "a worker could not connect")
    workers:begin(0)
  end
  local document, why = workers:finish()
  if run.end_nemesis then run.end_nemesis() end
  run:tear_down()
  if not document then return leave(workers.failure or why, workers.no_connection) end
  complete(document, run, options, outer)
  run:close()
  return document
end

return M
