--- The document wingman.report/1: what a run leaves behind. Everything in it can be merged
--- exactly: counters and histograms add, series add point by point.
local core = require "wingman.core"
local shard = require "wingman.load.shard"
local limit = require "wingman.metrics.limit"
local measured = require "wingman.metrics.measured"
local threshold = require "wingman.metrics.threshold"
local url = require "wingman.base.url"

local M = {}

M.schema = "wingman.report/1"

local exporters = {}

function exporters.counter(metric) return { count = metric.count } end
function exporters.gauge(metric) return { value = metric.value, min = metric.min, max = metric.max } end
function exporters.rate(metric) return { passed = metric.passed, total = metric.total } end

function exporters.trend(metric)
  local h, step = metric.histogram, metric.step
  local exported = h:export()
  exported.unit = step == 1 and metric.unit or "us"
  local function at(p) return h:percentile(p) / step end
  return {
    histogram = exported, count = h:count(), min = h:min() / step, max = h:max() / step, mean = h:mean() / step,
    p50 = at(50), p90 = at(90), p95 = at(95), p99 = at(99), p99_9 = at(99.9),
  }
end

-- Nothing was ever seen: a trend without values, a gauge that was not set.
local function is_empty(metric)
  return metric.type == "gauge" and metric.value == nil
end

--- The metrics of a run as they stand in its document.
---@param run wingman.load.run
---@param names table<string, true>|nil  which; nil: all
---@return table[]
function M.metrics(run, names)
  local list = {}
  for _, metric in ipairs(run.registry.list) do
    if not is_empty(metric) and (not names or names[metric.name]) then
      local entry = exporters[metric.type](metric)
      entry.name, entry.type, entry.unit, entry.tags = metric.name, metric.type, metric.unit, metric.tags
      list[#list + 1] = entry
    end
  end
  return list
end

local function export_scenarios(run)
  local list = {}
  for i, scenario in ipairs(run.scenarios) do
    local module, options = scenario.options.module, scenario.options
    list[i] = {
      name = scenario.name, executor = options.executor, start_s = options.start_time,
      duration_s = scenario.ended_us and scenario.started_us and ((scenario.stopped_us or scenario.ended_us) - scenario.started_us) / 1e6 or 0,
      vus_max = scenario.most_users, rate_target = module.rate and module.rate(options),
      iterations = scenario.iterations, iterations_dropped = scenario.dropped, iterations_interrupted = scenario.interrupted,
      dropped_for = next(scenario.drops) and scenario.drops or nil, tags = scenario.tags,
    }
  end
  return list
end

local function index_of(ids, id)
  for i, known in ipairs(ids) do
    if known == id then return i end
  end
  return -1
end

local function environment(run)
  local client = run.client
  local stats = client:router_stats()
  local ids, seen = {}, {}
  local map = client:partition_map()
  for _, node in ipairs(map and map.nodes or {}) do
    ids[#ids + 1], seen[node.id] = node.id, true
  end
  for _, node in ipairs(client:health().nodes) do
    local id = node.id or node.url
    if not seen[id] then ids[#ids + 1], seen[id] = id, true end
  end
  local cluster = run.options.cluster or run.options.server
  return {
    wingman = core.version, cluster = url.shown(type(cluster) == "table" and table.concat(cluster.seeds or {}, ",") or cluster),
    dialect = client:dialect(), hash = stats.hash, nodes = ids, partition_count = stats.partition_count,
    policy = run.given.policy_file, processors_awake = run.given.processors_awake, cpu_steal = run.cpu_steal(),
  }
end

-- Who owns each partition at the end, who acknowledged it, how many operations, how long.
local function partitions(run, ids)
  local ops, latency, indexes = run.op_metrics:partitions()
  local by_index = {}
  for _, node in ipairs(run.client:health().nodes) do
    if node.index then by_index[node.index] = index_of(ids, node.id or node.url) end
  end
  local map = run.client:partition_map()
  local owners, routed, means, samples = {}, {}, {}, {}
  for p = 1, run.client.core:partition_count() do
    owners[p] = map and map.owners[p] and index_of(ids, map.owners[p]) or -1
    routed[p] = by_index[indexes[p] or -1] or -1
    means[p] = latency[p] or false
    ops[p] = ops[p] or 0
    samples[p] = ops[p]
  end
  return { owners = owners, ops = ops, routed = routed, latency = means, samples = samples }
end

--- What spoils a run that came to its end, as a sentence; nil: nothing.
---@param run wingman.load.run
---@return string|nil
function M.spoiled(run) return run.script_error and "the script raised an error" or run.fault_failed end

local function export_thresholds(run)
  local list, all = {}, true
  for i, one in ipairs(run.options.thresholds) do
    local metric = run:metric(one)
    local value = metric and threshold.value(metric, one, run:duration())
    local passed = threshold.passes(one, value)
    all = all and passed
    list[i] = { metric = one.metric, expression = one.expression, value = value, passed = passed, aborted = one.aborted or false }
  end
  return list, all
end

local function export_checks(run)
  local list = {}
  for i, one in ipairs(run.checks.list) do list[i] = { name = one.name, passed = one.passed, failed = one.failed } end
  return list
end

local function export_errors(run)
  local list = {}
  for code, count in pairs(run.errors) do
    if count > 0 then list[#list + 1] = { code = code, count = count } end
  end
  table.sort(list, function(a, b) return a.code < b.code end)
  return list
end

--- How a run ended. An order to stop is no verdict: thresholds count, on what was measured
--- until then. A signal or a mistake leaves nothing to judge. Thresholds are of the whole test:
--- a shard measures them and does not judge.
---@param run wingman.load.run
---@param passed boolean  every threshold was kept
---@param part { index: integer, count: integer }  what the thresholds were measured on
---@return string
function M.outcome(run, passed, part)
  passed = passed or shard.is_part(part)
  if run.outcome and not (run.was_ordered and run.outcome == "interrupted" and not passed) then return run.outcome end
  return M.spoiled(run) and "error" or passed and "passed" or "failed"
end

--- The document of a run that has ended, or is under way, its client still open.
---@param run wingman.load.run
---@return table
function M.build(run)
  local env = environment(run)
  local thresholds, passed = export_thresholds(run)
  local limited = limit.judge(limit.figures(run))
  local metrics, checks = M.metrics(run), export_checks(run)
  local outcome = M.outcome(run, passed, run.shard)
  local reason = outcome ~= "failed" and (run.reason or M.spoiled(run)) or nil
  -- Of a run under way nothing is judged, of a shard only the whole.
  if run.duration_s and not shard.is_part(run.shard) then outcome, reason = measured.judge(outcome, reason, metrics, checks) end
  return {
    schema = M.schema,
    name = run.options.name or "load test", script = run.given.script, seed = run.seed,
    started_at = run.started_at, duration_s = run:duration(), finished = run.outcome == nil,
    outcome = outcome,
    reason = reason,
    limit = limited.limit, generator_late = limited.late, limit_reason = limited.reason,
    shards = { {
      index = run.shard.index, count = run.shard.count, workers = 1, started_at = run.started_at, duration_s = run:duration(),
    } },
    environment = env,
    scenarios = export_scenarios(run),
    metrics = metrics,
    series = run.series:export(),
    partitions = partitions(run, env.nodes),
    faults = run.faults,
    failovers = run:failovers(),
    thresholds = thresholds,
    checks = checks,
    errors = export_errors(run),
  }
end

return M
