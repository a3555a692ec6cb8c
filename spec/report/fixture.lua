--- Documents as a load run leaves them, made up but consistent: every number comes
--- from records that were put into histograms, so that what one run says and what
--- its shards say when they are merged can be compared. The same options and seed
--- give the same document.
local histogram = require "wingman.histogram"
local tag_key = require "wingman.report.model.validate".tag_key

local M = {}

-- Park and Miller's generator: specs of the same seed see the same numbers, whatever
-- else they draw.
local function generator(seed)
  local state = seed % 2147483646 + 1
  return function()
    state = state * 48271 % 2147483647
    return state / 2147483647
  end
end

local function normal(random) return math.sqrt(-2 * math.log(random())) * math.cos(2 * math.pi * random()) end

---@class spec.report.options
---@field name string|nil
---@field seed integer|nil
---@field seconds integer|nil      30
---@field rate integer|nil         operations per second, 2,000
---@field slow number|nil          factor on every latency, 1
---@field wander number|nil        how much the latency's level wanders between seconds, 0.05
---@field kill number|nil          node-2 dies at this second; false: none
---@field stall integer|nil        so many seconds, from the second one on, are 300 times as slow
---@field late boolean|nil         the generator was late
---@field reads number|nil         for each write there is a read, which takes this part of its latency
---@field shards integer|nil       how many documents share the records
---@field started_at number|nil

local NODES = { "node-1", "node-2", "node-3" }
local PARTITIONS = 271

-- What one process records.
local function recorder(index, count, options)
  local self = {
    index = index, count = count, points = {}, latency = {}, ops = {}, sums = {}, samples = {},
    lateness = histogram.new(60e6, 3), acked = 0, node_acked = { 0, 0, 0 }, batch = histogram.new(1e5, 3),
    node_latency = {}, iterations = 0, options = options,
  }
  for _, part in ipairs { "op_latency", "op_queue", "op_send", "op_ack" } do self.latency[part] = histogram.new(60e6, 3) end
  for i = 1, 3 do self.node_latency[i] = histogram.new(60e6, 3) end
  for p = 1, PARTITIONS do self.ops[p], self.sums[p], self.samples[p] = 0, 0, 0 end
  if options.reads then self.latency.read_latency = histogram.new(60e6, 3) end
  for second = 1, options.seconds do
    self.points[second] = { latency = histogram.new(60e6, 2), read_latency = histogram.new(60e6, 2), recorded = 0, acked = 0, errors = 0, lateness = 0 }
  end
  return self
end

local function record(self, second, op)
  local point = self.points[second]
  point.recorded = point.recorded + 1
  point.acked = point.acked + 1
  point.latency:record(op.total)
  point.lateness = math.max(point.lateness, op.lateness)
  self.latency.op_latency:record(op.total)
  if self.latency.read_latency then
    local us = math.max(1, math.floor(op.total * self.options.reads))
    self.latency.read_latency:record(us)
    point.read_latency:record(us)
  end
  self.latency.op_queue:record(op.queue)
  self.latency.op_send:record(op.send)
  self.latency.op_ack:record(op.ack)
  self.lateness:record(op.lateness)
  self.batch:record(1 + op.partition % 40)
  self.acked = self.acked + 1
  self.iterations = self.iterations + 1
  self.node_acked[op.node] = self.node_acked[op.node] + 1
  self.node_latency[op.node]:record(op.total)
  self.ops[op.partition] = self.ops[op.partition] + 1
  self.sums[op.partition] = self.sums[op.partition] + op.total / 1e6
  self.samples[op.partition] = self.samples[op.partition] + 1
end

local function exported(h, unit)
  local out = h:export()
  out.unit = unit
  return out
end

local function trend(name, unit, step, h, tags)
  local scale = step == "us" and 1e-6 or 1
  local function at(p) return h:percentile(p) * scale end
  return { name = name, type = "trend", unit = unit, tags = tags or {}, histogram = exported(h, step), count = h:count(),
    min = h:min() * scale, max = h:max() * scale, mean = h:mean() * scale, p50 = at(50), p90 = at(90), p95 = at(95),
    p99 = at(99), p99_9 = at(99.9) }
end

local function counter(name, count, tags, unit)
  return { name = name, type = "counter", unit = unit or "ops", tags = tags or {}, count = count }
end

local function gauge(name, unit, value, min, max, tags)
  return { name = name, type = "gauge", unit = unit, tags = tags or {}, value = value, min = min, max = max }
end

local function metrics(self)
  local list = {}
  local function add(metric) list[#list + 1] = metric end
  for part, h in pairs(self.latency) do add(trend(part, "s", "us", h)) end
  add(trend("op_latency", "s", "us", self.latency.op_latency, { scenario = "writes" }))
  if self.options.reads then
    add(counter("reads", self.acked, nil, "keys"))
    add(trend("read_latency", "s", "us", self.latency.read_latency, { scenario = "writes" }))
  end
  add(trend("lateness", "s", "us", self.lateness))
  add(trend("batch_size", "ops", "ops", self.batch))
  for i, node in ipairs(NODES) do
    add(trend("op_latency", "s", "us", self.node_latency[i], { node = node }))
    add(counter("ops_acked", self.node_acked[i], { node = node }))
    add(counter("bytes_sent", self.node_acked[i] * 150, { node = node }, "bytes"))
    add(gauge("circuit", "state", 0, 0, i == 2 and 2 or 0, { node = node }))
  end
  add(counter("ops_recorded", self.acked))
  add(counter("ops_acked", self.acked))
  add(counter("ops_unacknowledged", 0))
  add(counter("ops_resent", self.index == 1 and 37 or 0))
  add(counter("bytes_sent", self.acked * 150, nil, "bytes"))
  add(counter("batches_sent", math.ceil(self.acked / 20), nil, "batches"))
  add(counter("iterations", self.iterations, nil, "iterations"))
  add(counter("iterations_dropped", self.options.late and 412 or 0, nil, "iterations"))
  add(counter("direct_routes", self.acked))
  add(counter("fallback_routes", 0))
  add(counter("partition_misses", 0))
  add(counter("reconnects", self.options.kill and 3 or 0, nil, "connections"))
  add(gauge("in_flight", "ops", 0, 0, 940))
  add(gauge("vus", "vus", 50, 0, 50))
  add(gauge("map_version", "version", 5, 3, 5))
  add({ name = "checks", type = "rate", unit = "checks", tags = {}, passed = 1990, total = 2000 })
  table.sort(list, function(a, b) return tag_key(a) < tag_key(b) end) -- as JSON has them
  return list
end

local function series(self)
  local points = {}
  for i, p in ipairs(self.points) do
    points[i] = {
      t_s = i - 1,
      counters = { ops_recorded = p.recorded, ops_acked = p.acked, reads = p.read_latency:count(), queries = 0, bytes_sent = p.acked * 150, iterations = p.recorded,
        dropped = 0, errors = p.errors },
      gauges = { vus = 50, in_flight = 20 + i % 7, log_depth = 20 + i % 7, cpu = 0.42 + 0.01 * (i % 5),
        rss_bytes = 48e6 + i * 1000 },
      latency = p.latency:count() > 0 and exported(p.latency, "us") or nil,
      read_latency = p.read_latency:count() > 0 and exported(p.read_latency, "us") or nil,
      lateness_max_s = p.lateness / 1e6,
    }
  end
  return { interval_s = 1, points = points }
end

local function partitions(self)
  local out = { owners = {}, routed = {}, ops = self.ops, latency = {}, samples = self.samples }
  for p = 1, PARTITIONS do
    out.owners[p] = (p - 1) % 3 + 1
    out.routed[p] = self.options.kill and p % 3 == 2 and p < 20 and 3 or out.owners[p]
    out.latency[p] = self.samples[p] > 0 and self.sums[p] / self.samples[p] or false
  end
  return out
end

local function events(options)
  if not options.kill then return {}, {} end
  return {
    { at_s = options.kill, action = "kill", target = "node-2", ok = true, detail = "owner-of:key-1" },
    { at_s = options.kill + 5, action = "restart", target = "node-2", ok = true },
  }, {
    { at_s = options.kill + 0.004, node = "node-2", reason = "connection reset by peer", map_asked_s = 0.001,
      map_received_s = 0.052, rerouted_s = 0.0525, first_ack_s = 0.0741, drained_s = 0.31 },
  }
end

local function thresholds(self)
  local list, all = {}, true
  local function add(metric, expression, value, unit, passed)
    list[#list + 1] = { metric = metric, expression = expression, value = value, unit = unit, passed = passed,
      aborted = false }
    all = all and passed
  end
  local p99, p999 = self.latency.op_latency:percentile(99) / 1e6, self.latency.op_latency:percentile(99.9) / 1e6
  add("op_latency{scenario:writes}", "p(99)<50ms", p99, "s", p99 < 0.05)
  add("op_latency{scenario:writes}", "p(99.9)<200ms", p999, "s", p999 < 0.2)
  add("ops_unacknowledged", "count==0", 0, "ops", true)
  add("checks", "rate>0.95", 0.995, nil, true)
  return list, all
end

local function document(self)
  local options = self.options
  local faults, failovers = events(options)
  local limits, passed = thresholds(self)
  return {
    schema = "wingman.report/1", name = options.name, script = "writes.lua", seed = options.seed,
    started_at = options.started_at, duration_s = options.seconds, finished = true,
    outcome = passed and "passed" or "failed", reason = not passed and "a threshold was crossed" or nil,
    limit = options.late and "generator" or "none", generator_late = options.late,
    limit_reason = options.late and "lateness p99 was 38 ms, 412 iterations were dropped" or nil,
    shards = { { index = self.index, count = self.count, workers = 1, started_at = options.started_at,
      duration_s = options.seconds } },
    environment = { wingman = "0.1.0", cluster = "sim://3", dialect = "v2", hash = "fnv1a", nodes = { unpack(NODES) },
      partition_count = PARTITIONS, policy = "direct" },
    scenarios = { { name = "writes", executor = "constant-arrival-rate", start_s = 0, duration_s = options.seconds,
      vus_max = 50, rate_target = options.rate, iterations = self.iterations, iterations_dropped = 0,
      iterations_interrupted = 0, tags = {} } },
    metrics = metrics(self), series = series(self), partitions = partitions(self), faults = faults,
    failovers = failovers, thresholds = limits,
    checks = { { name = "status is ok", passed = 1990, failed = 10 }, { name = "has a value", passed = 2000, failed = 0 } },
    errors = options.kill and { { code = "NOT_OWNER", count = 14 } } or {},
  }
end

local function defaults(options)
  options = options or {}
  local out = { name = "writes while a node dies", seed = 7, seconds = 30, rate = 2000, slow = 1, wander = 0.05,
    kill = 10, late = false, started_at = 1764000000 }
  for k, v in pairs(options) do out[k] = v end
  return out
end

-- One operation: log-normal, with a slower tail, held while its owner is away.
local function draw(random, level, at, options)
  local partition = math.floor(random() ^ 1.3 * PARTITIONS) + 1
  local node = (partition - 1) % 3 + 1
  local total = level * math.exp(0.45 * normal(random)) * (random() < 0.02 and 6 or 1)
  if options.kill and node == 2 and at >= options.kill and at < options.kill + 0.08 then
    total = total + (options.kill + 0.08 - at) * 1e6
  end
  total = math.max(3, math.floor(total))
  local lateness = math.floor((options.late and 4000 or 60) * math.exp(0.6 * normal(random)))
  local queue, send = math.floor(total * 0.2), math.floor(total * 0.1)
  return { total = total, queue = queue, send = send, ack = total - queue - send, lateness = lateness, partition = partition,
    node = node }
end

-- Each operation goes to the recorder of the whole and to the one of its shard.
local function run(options, recorders)
  local random = generator(options.seed)
  local rest = 0 -- what one second's level has of the one before: noise is no white noise
  for second = 1, options.seconds do
    rest = 0.6 * rest + options.wander * normal(random)
    local stalled = options.stall and second > 1 and second <= 1 + options.stall
    local level = 280 * options.slow * math.exp(rest) * (stalled and 300 or 1)
    for i = 1, options.rate do
      local op = draw(random, level, second - 1 + (i - 1) / options.rate, options)
      record(recorders[1], second, op)
      if recorders[2] then record(recorders[2 + i % (#recorders - 1)], second, op) end
    end
  end
end

--- One document.
---@param options spec.report.options|nil
function M.document(options)
  options = defaults(options)
  local whole = recorder(1, 1, options)
  run(options, { whole })
  return document(whole)
end

--- The document of a run, and those of its shards.
---@param options spec.report.options|nil
function M.sharded(options)
  options = defaults(options)
  local recorders = { recorder(1, 1, options) }
  for i = 1, options.shards do recorders[i + 1] = recorder(i, options.shards, options) end
  run(options, recorders)
  local documents = {}
  for i, one in ipairs(recorders) do documents[i] = document(one) end
  return table.remove(documents, 1), documents
end

--- Names such as a hostile server would choose.
M.hostile = {
  "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "a\27[2J\27[31mred", "\255\254 no utf-8",
  "]]>&amp;", "new\nline\r\tand tab", "\194\155 31m", "'+alert(1)+'", "\0zero", "\239\191\191",
  "{{7*7}} ${7*7}", "</style></svg></title>", "=cmd|' /C calc'!A0",
}

--- A document in which every name is hostile.
function M.hostile_document()
  local made = M.document { seconds = 5, rate = 200, kill = 2 }
  local function name(i) return M.hostile[(i - 1) % #M.hostile + 1] .. i end
  made.name, made.script, made.reason = name(1), name(2), name(3)
  made.limit_reason, made.generator_late = name(4), true
  made.environment.cluster, made.environment.policy = name(5), name(6)
  for i = 1, 3 do made.environment.nodes[i] = name(i) end
  made.scenarios[1].name, made.scenarios[1].executor = name(7), name(1)
  made.scenarios[1].tags = { [name(8)] = name(9) }
  for i, metric in ipairs(made.metrics) do
    if next(metric.tags) then metric.tags = { [next(metric.tags)] = name(i) } end
  end
  for i, fault in ipairs(made.faults) do fault.action, fault.target, fault.detail = name(i), name(i + 1), name(i + 2) end
  for i, failover in ipairs(made.failovers) do failover.node, failover.reason = name(i), name(i + 1) end
  for i, limit in ipairs(made.thresholds) do limit.metric, limit.expression = name(i), name(i + 4) end
  for i, check in ipairs(made.checks) do check.name = name(i + 1) end
  for i, err in ipairs(made.errors) do err.code = name(i) end
  local extra = { name = name(5), type = "counter", unit = name(6), tags = {}, count = 3 }
  made.metrics[#made.metrics + 1] = extra
  return made
end

return M
