--- The end of a run at a terminal: the verdict first, then the numbers, then what
--- they are made of.
local format = require "wingman.text.quantities"
local layout = require "wingman.text.layout"
local cpu_steal = require "wingman.metrics.cpu_steal"
local verdict = require "wingman.report.model.verdict"
local view = require "wingman.report.model.view"

local M = {}

local LABEL = 12

local function field(out, label, pieces, gap) out:field(2, { text = label, style = "dim" }, LABEL, pieces, gap or 3) end

local function headline(out, document)
  local head = verdict.headline(document)
  out:field(0, { text = head.word, style = head.good and "good" or "bad" }, #head.word + 2,
    { { text = head.sentence, style = "bold" } })
  local limit, missing = verdict.limit(document), verdict.missing_shards(document)
  if limit then out:field(0, { text = "LIMIT", style = "warn" }, #head.word + 2, { { text = limit } }) end
  if missing then out:field(0, { text = "PARTS", style = "warn" }, #head.word + 2, { { text = missing .. ", and `wingman report merge` judges all" } }) end
  for _, sentence in ipairs(verdict.overflows(document)) do
    out:field(0, { text = "ABOVE", style = "warn" }, #head.word + 2, { { text = sentence } })
  end
  out:blank()
end

local function about(out, document)
  local pieces = { { text = document.name, whole = true } }
  local environment = document.environment
  if environment.cluster then pieces[#pieces + 1] = { text = environment.cluster, style = "dim", whole = true } end
  pieces[#pieces + 1] = { text = format.timestamp(document.started_at) .. "Z", style = "dim", whole = true }
  if not verdict.headline(document).good then
    pieces[#pieces + 1] = { text = verdict.headline(document).work, whole = true }
  end
  field(out, "run", pieces)
end

local function throughput(out, document)
  local pieces = {}
  local acked = view.count(document, "ops_acked")
  if acked > 0 or view.count(document, "ops_recorded") > 0 then
    pieces[1] = { text = format.number(view.per_second(document, acked)) .. " ops/s acknowledged", whole = true }
  end
  for _, name in ipairs { "reads", "queries" } do
    local count = view.count(document, name)
    if count > 0 then
      pieces[#pieces + 1] = { text = ("%s %s/s"):format(format.number(view.per_second(document, count)), name), whole = true }
    end
  end
  local iterations = view.count(document, "iterations")
  if iterations > 0 then
    pieces[#pieces + 1] = { text = format.number(view.per_second(document, iterations)) .. " iterations/s", whole = true }
  end
  if #pieces > 0 then field(out, "throughput", pieces) end
end

local percentiles = { { "p50", "p50" }, { "p90", "p90" }, { "p99", "p99" }, { "p99.9", "p99_9" }, { "max", "max" } }

local function percentiles_of(metric)
  local pieces = {}
  for i, p in ipairs(percentiles) do
    pieces[i] = { text = p[1] .. " " .. format.quantity(metric[p[2]], metric.unit), whole = true }
  end
  return pieces
end

local function latency(out, document)
  local list = view.latencies(document)
  for _, one in ipairs(list) do
    field(out, one.kind.name == "write" and #list == 1 and "latency" or one.kind.many, percentiles_of(one.metric), 2)
  end
  local iterations = #list == 0 and view.main_latency(document)
  if iterations then field(out, "iteration", percentiles_of(iterations), 2) end
  local lag = view.total(document, "replica_lag")
  if lag and lag.count > 0 then field(out, "seen after", percentiles_of(lag), 2) end
  local live = view.total(document, "live_latency")
  if live and live.count > 0 then field(out, "row after", percentiles_of(live), 2) end
end

local function operations(out, document)
  local unacknowledged, known = view.count(document, "ops_unacknowledged")
  local pieces = {}
  if known and (unacknowledged > 0 or view.count(document, "ops_recorded") > 0) then
    pieces[1] = { text = "unacknowledged " .. format.count(unacknowledged), style = unacknowledged > 0 and "bad" or nil, whole = true }
  end
  for _, other in ipairs { { "ops_unverified", "unverified" }, { "ops_rejected", "rejected" }, { "ops_dropped", "displaced" },
    { "ops_resent", "sent again" }, { "ops_repeated", "repeated after a membership change" },
    { "reads_absent", "reads of absent keys" }, { "reads_failed", "reads failed", "bad" }, { "queries_failed", "queries failed", "bad" },
    { "replica_unseen", "seen by no other client", "bad" }, { "replica_lost", "lost by nodes that came up", "bad" },
    { "iterations_dropped", "iterations dropped" }, { "messages_dropped", "messages to users dropped", "bad" },
    { "reconnects", "reconnects" } } do
    local n = view.count(document, other[1])
    if n > 0 then pieces[#pieces + 1] = { text = other[2] .. " " .. format.count(n), style = other[3], whole = true } end
  end
  if #pieces > 0 then field(out, "operations", pieces) end
end

local function failovers(out, document)
  for i, failover in ipairs(document.failovers) do
    if i > 5 then
      field(out, "", { { text = ("and %d more"):format(#document.failovers - 5), style = "dim" } })
      break
    end
    local text = ("%s lost at %s"):format(failover.node, format.duration(failover.at_s))
    local after = failover.first_ack_s and "first acknowledgement after " .. format.duration(failover.first_ack_s)
      or "its partitions were not acknowledged again"
    field(out, i == 1 and "failover" or "", { { text = text .. "," }, { text = after } })
  end
end

local function limit_of(out, document)
  field(out, "limit", { { text = document.limit, style = document.limit ~= "none" and "warn" or nil } })
end

local function generator(out, document)
  local pieces = { { text = document.generator_late and "late" or "on time",
    style = document.generator_late and "warn" or nil, whole = true } }
  local late = view.total(document, "lateness") or view.total(document, "loop_lateness")
  if late and late.count and late.count > 0 then
    local what = late.name == "lateness" and "lateness" or "lateness of the loop"
    pieces[#pieces + 1] = { text = ("%s p99 %s"):format(what, format.duration(late.p99)), whole = true }
    pieces[#pieces + 1] = { text = "max " .. format.duration(late.max), whole = true }
  end
  local cpu = 0
  for _, point in ipairs(document.series.points) do cpu = math.max(cpu, point.gauges.cpu or 0) end
  if cpu > 0 then pieces[#pieces + 1] = { text = ("cpu at most %.2f of a core"):format(cpu), whole = true } end
  local taken = document.environment.cpu_steal or 0
  if taken >= cpu_steal.WORTH_TELLING then
    pieces[#pieces + 1] = { text = ("the hypervisor took %s of the processors"):format(format.share(taken)), style = "warn", whole = true }
  end
  field(out, "generator", pieces)
end

-- Of a part nothing is said: its thresholds are those of the whole.
local function mark(passed, is_part)
  if is_part then return { text = "-", style = "dim" } end
  return { text = passed and "ok" or "FAILED", style = passed and "good" or "bad" }
end

local function section(out, title)
  out:blank()
  out:field(2, { text = title, style = "bold" }, LABEL, {})
end

local function thresholds(out, document)
  if #document.thresholds == 0 then return end
  section(out, "Thresholds")
  local rows, is_part = {}, verdict.is_part(document)
  for i, threshold in ipairs(document.thresholds) do
    rows[i] = { mark(threshold.passed, is_part), { text = threshold.metric }, { text = threshold.expression },
      { text = verdict.threshold_value(document, threshold), style = not threshold.passed and not is_part and "bad" or nil, right = true },
      { text = threshold.aborted and "ended the run" or "" } }
  end
  out:rows(2, rows)
end

local function checks(out, document)
  if #document.checks == 0 then return end
  section(out, "Checks")
  local rows = {}
  for i, check in ipairs(document.checks) do
    local all = check.passed + check.failed
    rows[i] = { { text = format.share(all > 0 and check.passed / all or 1), right = true,
      style = check.failed == 0 and "good" or "warn" }, { text = check.name },
      { text = check.failed > 0 and ("%s of %s failed"):format(format.count(check.failed), format.count(all)) or "" } }
  end
  out:rows(2, rows)
end

local function dim(text) return { text = text, style = "dim" } end
local function right(text) return { text = text, right = true } end
local function dim_right(text) return { text = text, style = "dim", right = true } end

-- A row for a scenario, and one for each further kind of work that it did.
local function scenarios(out, document)
  if #document.scenarios == 0 then return end
  section(out, "Scenarios")
  local rows = { { dim "name", dim "executor", dim_right "iterations", dim_right "dropped", dim_right "p50", dim_right "p99" } }
  local function add(name, executor, iterations, dropped, metric)
    rows[#rows + 1] = { { text = name }, executor, right(iterations), right(dropped), right(metric and format.duration(metric.p50) or "-"),
      right(metric and format.duration(metric.p99) or "-") }
  end
  for _, scenario in ipairs(document.scenarios) do
    local list = view.latencies_of_scenario(document, scenario)
    add(scenario.name, { text = scenario.executor }, format.count(scenario.iterations), format.count(scenario.iterations_dropped or 0),
      list[1] and list[1].metric)
    for i = 2, #list do add("", dim("its " .. list[i].kind.many), "", "", list[i].metric) end
  end
  out:rows(2, rows)
end

local function nodes(out, document)
  local acked = view.by_tag(document, "ops_acked", "node")
  local latencies, all = view.trends_by(document, "op_latency", "node"), 0
  for _, found in ipairs(acked) do all = all + found.metric.count end
  if all == 0 then return end
  section(out, "Nodes")
  local rows = { { dim "node", dim_right "acknowledged", dim_right "share", dim_right "p50", dim_right "p99" } }
  for _, found in ipairs(acked) do
    local metric = latencies[found.value]
    rows[#rows + 1] = { { text = found.value }, right(format.count(found.metric.count)),
      right(format.share(found.metric.count / all)), right(metric and format.duration(metric.p50) or "-"),
      right(metric and format.duration(metric.p99) or "-") }
  end
  out:rows(2, rows)
end

local function events(out, document)
  if #document.faults > 0 then
    section(out, "Faults")
    local rows = {}
    for i, fault in ipairs(document.faults) do
      rows[i] = { right(format.duration(fault.at_s)), { text = fault.action .. " " .. (fault.target or "") },
        { text = fault.ok and "" or "did not work", style = "bad" }, dim(fault.detail or "") }
    end
    out:rows(2, rows)
  end
  if #document.errors > 0 then
    section(out, "Errors")
    local rows = {}
    for i, err in ipairs(document.errors) do rows[i] = { right(format.count(err.count)), { text = err.code }, dim(verdict.error_sources(document, err.code)) } end
    out:rows(2, rows)
  end
end

--- The summary.
---@param document table  a valid one
---@param options { colour: boolean|nil, width: integer|nil }|nil  see terminal.options(); no colour, 80
---@return string
function M.format(document, options)
  local out = layout.new(options)
  headline(out, document)
  about(out, document)
  throughput(out, document)
  latency(out, document)
  operations(out, document)
  failovers(out, document)
  limit_of(out, document)
  generator(out, document)
  thresholds(out, document)
  checks(out, document)
  scenarios(out, document)
  nodes(out, document)
  events(out, document)
  return out:text()
end

return M
