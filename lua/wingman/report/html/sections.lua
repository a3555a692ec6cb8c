--- The sections of the page, in their order: a heading, a sentence on how to read it,
--- and a body made from the document; without a body there is no section.
local failover_plot = require "wingman.report.plot.failover_plot"
local format = require "wingman.text.quantities"
local html_table = require "wingman.report.html.table"
local partition_plot = require "wingman.report.plot.partition_plot"
local percentiles = require "wingman.report.plot.percentiles"
local time_plot = require "wingman.report.plot.time_plot"
local verdict = require "wingman.report.model.verdict"
local view = require "wingman.report.model.view"

local right = html_table.right

local function figure(drawing) return drawing and "<figure>" .. drawing:inline() .. "</figure>" or "" end

local function details(summary, body)
  return ("<details><summary>%s</summary>%s</details>"):format(summary, body)
end

local units = { us = 1e-6, ms = 1e-3, s = 1, [""] = 1 }

-- The limit in an expression such as "p(99)<50ms", in seconds where it is a time.
local function limit_of(expression)
  local number, unit = expression:match "[<>=!]+%s*([%d.]+)%s*(%a*)%s*$"
  number = tonumber(number)
  return number and units[unit] and number * units[unit]
end

local function thresholds(document)
  if #document.thresholds == 0 then return nil end
  local rows, is_part = {}, verdict.is_part(document)
  for i, threshold in ipairs(document.thresholds) do
    local limit, value = limit_of(threshold.expression), threshold.value
    local bar = limit and value and value - value == 0 and limit > 0 and html_table.limit_bar(value, limit, threshold.passed)
    local word = { text = threshold.passed and "ok" or threshold.aborted and "FAILED, ended the run" or "FAILED",
      class = threshold.passed and "good" or "bad" }
    if is_part then word = threshold.aborted and "ended this part" or "-" end
    rows[i] = { word, threshold.metric, threshold.expression,
      right(verdict.threshold_value(document, threshold), not threshold.passed and not is_part and "bad" or nil), bar or "" }
  end
  return html_table.format({ "", "metric", "limit", right "measured", "beside its limit" }, rows)
end

local function latency(document)
  local drawing = percentiles.draw(document)
  if not drawing then return nil end
  local rows = {}
  for _, name in ipairs { "op_latency", "op_queue", "op_send", "op_ack", "read_latency", "query_latency", "query_rows", "replica_lag", "live_latency", "iteration_duration", "lateness", "loop_lateness",
    "connect_time", "tls_time", "auth_time", "heartbeat_rtt", "failover_time", "batch_size" } do
    local m = view.total(document, name)
    if m and m.type == "trend" and m.count > 0 then
      local row = { name, right(format.count(m.count)) }
      for _, field in ipairs { "mean", "p50", "p90", "p99", "p99_9", "max" } do
        row[#row + 1] = right(format.quantity(m[field], m.unit))
      end
      rows[#rows + 1] = row
    end
  end
  return figure(drawing) .. html_table.format({ "metric", right "count", right "mean", right "p50", right "p90", right "p99",
    right "p99.9", right "max" }, rows)
end

local function over_time(document)
  local drawing = time_plot.draw(document)
  if not drawing then return nil end
  local rows = {}
  for i, fault in ipairs(document.faults) do
    rows[i] = { format.duration(fault.at_s), fault.action, fault.target or "", fault.ok and "done" or
      { text = "did not work", class = "bad" }, fault.detail or "" }
  end
  return figure(drawing) .. (#rows > 0 and html_table.format({ "at", "fault", "target", "", "detail" }, rows) or "")
end

local function failovers(document)
  local drawing = failover_plot.draw(document)
  if not drawing then return nil end
  local head, rows = { "node", right "lost at", "reason" }, {}
  for _, phase in ipairs(failover_plot.phases) do head[#head + 1] = right(phase.text) end
  for i, failover in ipairs(document.failovers) do
    rows[i] = { failover.node, right(format.duration(failover.at_s)), failover.reason or "" }
    for _, phase in ipairs(failover_plot.phases) do
      local at = failover[phase.field]
      table.insert(rows[i], right(at and format.duration(at) or "-"))
    end
  end
  return figure(drawing) .. html_table.format(head, rows)
end

local function owned_of(document)
  local owned = {}
  for _, node in ipairs(document.partitions and document.partitions.owners or {}) do owned[node] = (owned[node] or 0) + 1 end
  return owned
end

local function by_node(document, name)
  local found = {}
  for _, entry in ipairs(view.by_tag(document, name, "node")) do found[entry.value] = entry.metric end
  return found
end

local function nodes(document)
  local acked, latencies, bytes = by_node(document, "ops_acked"), view.trends_by(document, "op_latency", "node"), by_node(document, "bytes_sent")
  local all, names, owned = 0, document.environment.nodes, owned_of(document)
  for _, metric in pairs(acked) do all = all + metric.count end
  if #names == 0 or all == 0 then return nil end
  local rows = {}
  for i, name in ipairs(names) do
    local count, l = acked[name] and acked[name].count or 0, latencies[name]
    rows[i] = { name, right(tostring(owned[i] or 0)), right(format.count(count)), html_table.share_bar(count / all, 1 / #names, i),
      right(format.share(count / all)), right(l and format.duration(l.p50) or "-"), right(l and format.duration(l.p99) or "-"),
      right(bytes[name] and format.bytes(bytes[name].count) or "-") }
  end
  return html_table.format({ "node", right "partitions", right "acknowledged", "share, and an equal one", right "", right "p50",
    right "p99", right "sent" }, rows)
end

local function partitions(document)
  local latency_map, route_map = partition_plot.latency(document), partition_plot.routes(document)
  if not route_map then return nil end
  local rows = {}
  for p = 1, document.environment.partition_count do
    local owner, routed = document.partitions.owners[p], document.partitions.routed[p]
    local mean = document.partitions.latency[p]
    rows[p] = { right(tostring(p - 1)), owner > 0 and document.environment.nodes[owner] or "none",
      routed > 0 and document.environment.nodes[routed] or "held", right(format.count(document.partitions.ops[p])),
      right(mean and format.duration(mean) or "-") }
  end
  return '<div class="maps">' .. figure(latency_map) .. figure(route_map) .. "</div>" .. details("all partitions as a table",
    html_table.format({ right "partition", "owner", "goes to", right "operations", right "mean latency" }, rows))
end

local function scenarios(document)
  if #document.scenarios == 0 then return nil end
  local rows = {}
  local function latency_cells(metric) return right(metric and format.duration(metric.p50) or "-"), right(metric and format.duration(metric.p99) or "-") end
  for _, s in ipairs(document.scenarios) do
    local list = view.latencies_of_scenario(document, s)
    rows[#rows + 1] = { s.name, s.executor, right(s.rate_target and format.number(s.rate_target) .. "/s" or "-"),
      right(s.vus_max and format.count(s.vus_max) or "-"), right(format.count(s.iterations)),
      right(format.count(s.iterations_dropped or 0)), right(format.count(s.iterations_interrupted or 0)), latency_cells(list[1] and list[1].metric) }
    for i = 2, #list do
      rows[#rows + 1] = { "", "its " .. list[i].kind.many, "", "", "", "", "", latency_cells(list[i].metric) }
    end
  end
  return html_table.format({ "scenario", "executor", right "asked for", right "VUs", right "iterations", right "dropped",
    right "interrupted", right "p50", right "p99" }, rows)
end

local function checks(document)
  if #document.checks == 0 then return nil end
  local rows = {}
  for i, check in ipairs(document.checks) do
    local all = check.passed + check.failed
    rows[i] = { check.name, right(format.count(check.passed)), right(format.count(check.failed)),
      right(format.share(all > 0 and check.passed / all or 1)) }
  end
  return html_table.format({ "check", right "passed", right "failed", right "rate" }, rows)
end

local function errors(document)
  if #document.errors == 0 then return nil end
  local rows = {}
  for i, err in ipairs(document.errors) do rows[i] = { err.code, right(format.count(err.count)), verdict.error_sources(document, err.code) } end
  return html_table.format({ "code", right "count", "by scenario" }, rows)
end

local function metric_value(metric)
  if metric.type == "counter" then return format.count(metric.count) end
  if metric.type == "gauge" then
    if not metric.value then return "not set" end
    local function text(n) return format.quantity(n or metric.value, metric.unit) end
    return ("%s (%s to %s)"):format(text(metric.value), text(metric.min), text(metric.max))
  end
  if metric.type == "rate" then return ("%s of %s"):format(format.count(metric.passed), format.count(metric.total)) end
  if metric.count == 0 then return "none" end
  return ("p50 %s, p99 %s, max %s of %s"):format(format.quantity(metric.p50, metric.unit),
    format.quantity(metric.p99, metric.unit), format.quantity(metric.max, metric.unit), format.count(metric.count))
end

local function everything(document)
  local rows = {}
  for i, metric in ipairs(document.metrics) do
    rows[i] = { metric.name, view.tags_text(metric.tags), metric.type, metric.unit, right(metric_value(metric)) }
  end
  local environment, facts = document.environment, {}
  for _, name in ipairs { "wingman", "cluster", "dialect", "hash", "policy" } do
    if environment[name] then facts[#facts + 1] = { name, tostring(environment[name]) } end
  end
  if environment.processors_awake then
    facts[#facts + 1] = { "processors kept awake", tostring(environment.processors_awake) }
  end
  if environment.cpu_steal then facts[#facts + 1] = { "processor time that the hypervisor took (steal)", format.share(environment.cpu_steal) } end
  facts[#facts + 1] = { "script", document.script or "" }
  facts[#facts + 1] = { "partitions", tostring(environment.partition_count) }
  for _, shard in ipairs(document.shards) do
    facts[#facts + 1] = { ("process %d of %d"):format(shard.index, shard.count), ("started %s UTC, %s%s"):format(
      format.timestamp(shard.started_at):gsub("T", " "), format.duration(shard.duration_s),
      shard.workers and ", " .. format.plural(shard.workers, "worker") or "") }
  end
  return details("the run", html_table.format({ "", "" }, facts)) .. details(("all %d metrics"):format(#rows),
    html_table.format({ "metric", "tags", "type", "unit", right "value" }, rows))
end

return {
  { id = "thresholds", title = "Thresholds", body = thresholds },
  { id = "latency", title = "Latency by percentile", text = "Each further nine gets the same room, and latency is logarithmic: the tail is as legible as the middle.", body = latency },
  { id = "time", title = "Over time", text = "Dashed lines are faults; a shaded band lasts from the loss of a node to the first acknowledgement of its partitions.", body = over_time },
  { id = "failover", title = "Failover", text = "From the loss of a node on; what came earlier has the stronger shade.", body = failovers },
  { id = "nodes", title = "Balance of the nodes", body = nodes },
  { id = "partitions", title = "Partitions", text = "Numbered from the left, row by row.", body = partitions },
  { id = "scenarios", title = "Scenarios", body = scenarios },
  { id = "checks", title = "Checks", body = checks },
  { id = "errors", title = "Errors", body = errors },
  { id = "details", title = "Details", body = everything },
}
