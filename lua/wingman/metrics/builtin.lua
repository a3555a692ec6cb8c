--- The built-in metrics of a run: brought up to date from the core, the scenarios and the
--- process when somebody looks. Nothing here runs per operation.
local core = require "wingman.core"
local list = require "wingman.metrics.list"
local cpu_steal = require "wingman.metrics.cpu_steal"

local M = {}

--- Shorter intervals (seconds) do not show how busy the generator is.
local SHORT = 0.1

--- All of them, by name.
---@type table<string, wingman.builtin_metric>
M.builtin = list

local PARTS = { "op_latency", "op_queue", "op_send", "op_ack" }

--- The metric of a run with these tags, or the total without any.
---@param run wingman.load.run
---@param name string  of a built-in metric
---@param tags table<string, string>|nil
---@return wingman.load.metric
function M.metric(run, name, tags)
  local listed = list[name]
  return run.registry:get(listed.type, name, listed.unit, tags)
end
local get = M.metric

-- A node index may be given to another node, and nodes may differ in what of their URLs is not shown.
local function key_of(node) return node.index .. " " .. node.url end

--- What the client counted before the test began, so that set-up is not measured.
---@param run wingman.load.run
function M.baseline(run)
  local base = { stats = run.client.core:stats(), routing = run.client:routing_metrics(), nodes = {} }
  for _, node in ipairs(run.client:health().nodes) do base.nodes[key_of(node)] = node.stats end
  run.base = base
  run.client.core:forget_batch_sizes()
  run.map_versions = 0
  run.cpu_base, run.cpu_at = core.thread_cpu_seconds(), run.now()
  run.cpu_steal = cpu_steal.since_now()
end

local function refill(metric) -- a trend that is merged anew
  metric.histogram:reset()
  return metric.histogram
end

local function operations(run)
  local total = {}
  for _, part in ipairs(PARTS) do total[part] = refill(get(run, part)) end
  local recorded, acked = 0, 0
  local group_durations -- there is none of a run without groups
  for _, scenario in ipairs(run.scenarios) do
    local own = {}
    for _, part in ipairs(PARTS) do own[part] = refill(get(run, part, scenario.tags)) end
    local own_recorded, own_acked = 0, 0
    local function take(tag, group)
      for _, part in ipairs(PARTS) do
        run.op_metrics:merge(tag, part, own[part])
        if group then run.op_metrics:merge(tag, part, refill(get(run, part, group))) end
      end
      local r, a = run.op_metrics:counts(tag)
      own_recorded, own_acked = own_recorded + r, own_acked + a
    end
    take(scenario.tag)
    for name, group in pairs(scenario.groups) do
      local tags = { group = name }
      for tag, value in pairs(scenario.tags) do tags[tag] = value end
      take(group.tag, tags)
      refill(get(run, "group_duration", tags)):merge(group.durations)
      group_durations = group_durations or refill(get(run, "group_duration"))
      group_durations:merge(group.durations)
    end
    for _, part in ipairs(PARTS) do total[part]:merge(own[part]) end
    get(run, "ops_recorded", scenario.tags).count = own_recorded
    get(run, "ops_acked", scenario.tags).count = own_acked
    recorded, acked = recorded + own_recorded, acked + own_acked
  end
  get(run, "ops_recorded").count, get(run, "ops_acked").count = recorded, acked
end

local function iterations(run)
  local sums = { iterations = 0, iterations_dropped = 0, iterations_interrupted = 0 }
  local lateness, durations
  for _, scenario in ipairs(run.scenarios) do
    local own = { iterations = scenario.iterations, iterations_dropped = scenario.dropped, iterations_interrupted = scenario.interrupted }
    for name, count in pairs(own) do
      get(run, name, scenario.tags).count = count
      sums[name] = sums[name] + count
    end
    durations = durations or refill(get(run, "iteration_duration"))
    durations:merge(scenario.duration_histogram)
    refill(get(run, "iteration_duration", scenario.tags)):merge(scenario.duration_histogram)
    if scenario.executor.schedule then
      lateness = lateness or refill(get(run, "lateness"))
      lateness:merge(scenario.lateness_histogram)
      refill(get(run, "lateness", scenario.tags)):merge(scenario.lateness_histogram)
    end
  end
  for name, count in pairs(sums) do get(run, name).count = count end
end

local function connections(run)
  run.op_metrics:merge_connections("connect", refill(get(run, "connect_time")))
  run.op_metrics:merge_connections("tls", refill(get(run, "tls_time")))
  run.op_metrics:merge_connections("auth", refill(get(run, "auth_time")))
  run.op_metrics:merge_connections("heartbeat", refill(get(run, "heartbeat_rtt")))
  refill(get(run, "loop_lateness")):merge(run.loop_lateness)
end

local states = { closed = 0, ["half_open"] = 1, ["half-open"] = 1, open = 2 }

local function nodes(run, health)
  local sums = { ops_sent = 0, bytes_acked = 0 } -- the other totals are the client's
  for _, node in ipairs(health.nodes) do
    local tags = { node = node.id or node.url }
    local before = run.base.nodes[key_of(node)] or {}
    for _, name in ipairs { "ops_sent", "ops_acked", "batches_sent", "bytes_sent", "bytes_acked" } do
      local count = node.stats[name] - (before[name] or 0)
      get(run, name, tags).count = count
      if sums[name] then sums[name] = sums[name] + count end
    end
    get(run, "circuit", tags):set(states[node.circuit] or 0)
    if node.index then run.op_metrics:merge_node(node.index, refill(get(run, "op_latency", tags))) end
  end
  for name, count in pairs(sums) do get(run, name).count = count end
end

local function client_totals(run)
  local stats, base = run.client.core:stats(), run.base.stats
  for metric, field in pairs {
    ops_rejected = "ops_rejected", ops_dropped = "ops_dropped", ops_resent = "ops_resent", ops_repeated = "ops_repeated", batches_sent = "batches_sent", bytes_sent = "bytes_sent",
    unmatched_acks = "unmatched_acks",
  } do get(run, metric).count = stats[field] - base[field] end
  get(run, "ops_unverified").count = stats.ops_unverified - base.ops_unverified + run.client.core:unverified()
  local routing = run.client:routing_metrics()
  for _, name in ipairs { "direct_routes", "fallback_routes", "partition_misses" } do
    get(run, name).count = routing[name] - run.base.routing[name]
  end
  run.client.core:merge_batch_sizes(refill(get(run, "batch_size")))
  get(run, "reconnects").count = run.reconnects
  if run.options.connections == "per-vu" then get(run, "messages_dropped").count = run.sessions and run.sessions.inboxes.dropped or 0 end
  get(run, "map_versions").count = run.map_versions
  get(run, "map_version"):set(run.client:router_stats().map_version)
end

-- Sets errors with these tags, and of each code among them.
local function set_errors(run, counts, tags)
  local all = 0
  for code, count in pairs(counts) do
    local own = { code = code }
    for tag, value in pairs(tags or {}) do own[tag] = value end
    get(run, "errors", own).count = count
    all = all + count
  end
  get(run, "errors", tags).count = all
end

local function errors(run)
  set_errors(run, run.errors)
  for _, scenario in ipairs(run.scenarios) do set_errors(run, scenario.errors, scenario.tags) end
end

local function failovers(run)
  local h = refill(get(run, "failover_time"))
  for _, one in ipairs(run:failovers()) do
    if one.first_ack_s then h:record(one.first_ack_s * 1e6) end
  end
end

--- What can be looked at often: gauges of this moment.
---@param run wingman.load.run
---@return table<string, number> by_name, table health
function M.gauges(run)
  local health = run.client:health()
  local in_flight, users = 0, 0
  for _, node in ipairs(health.nodes) do in_flight = in_flight + node.in_flight_ops end
  for _, scenario in ipairs(run.scenarios) do
    if scenario.state == "running" then
      users = users + (scenario.executor.active or #scenario.users)
    end
  end
  local cpu, now = core.thread_cpu_seconds(), run.now()
  -- What a run does in its last moment says nothing of what it needs. The two clocks are
  -- read one after the other; a thread has one core at most.
  if not run.cpu_share or now - run.cpu_at >= SHORT then
    run.cpu_share = now > run.cpu_at and math.min(1, (cpu - run.cpu_base) / (now - run.cpu_at)) or 0
    run.cpu_base, run.cpu_at = cpu, now
  end
  local values = {
    vus = users, in_flight = in_flight, log_depth = run.client:pending_ops(), cpu = run.cpu_share, rss_bytes = core.resident_bytes(),
  }
  if run.sessions then values.sessions = run.sessions.open end
  if run.follows then run.follows:refresh() end
  for name, value in pairs(values) do get(run, name):set(value) end
  return values, health
end

--- Brings every built-in metric up to date.
---@param run wingman.load.run
function M.refresh(run)
  operations(run)
  iterations(run)
  connections(run)
  nodes(run, run.client:health())
  client_totals(run)
  errors(run)
  failovers(run)
  if run.follows then run.follows:refresh() end
end

return M
