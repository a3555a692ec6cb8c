--- Several documents as that of one run: shards of a run, or the same test on several
--- machines. Nothing is averaged: what is said of the whole comes from added counts and
--- histograms, and thresholds are measured again.
local json = require "wingman.report.model.json"
local measured = require "wingman.metrics.measured"
local merge_limit = require "wingman.report.merge.limit"
local merge_metrics = require "wingman.report.merge.metrics"
local merge_series = require "wingman.report.merge.series"
local schema = require "wingman.report.model.schema"
local validate = require "wingman.report.model.validate"
local verdict = require "wingman.report.model.verdict"

local M = {}

-- Worst first: a run is what its worst part was.
local ranks = { error = 1, aborted = 2, interrupted = 3, failed = 4, passed = 5 }

local function thresholds_text(document)
  local parts = {}
  for i, t in ipairs(document.thresholds) do parts[i] = t.metric .. " " .. t.expression end
  return table.concat(parts, ", ")
end

-- What has to be the same in all, by its name in an error.
local same = {
  { "script", function(d) return d.script or "none" end },
  { "name", function(d) return d.name end },
  { "partition count", function(d) return tostring(d.environment.partition_count) end },
  { "hash", function(d) return d.environment.hash or "unknown" end },
  { "dialect", function(d) return d.environment.dialect or "unknown" end },
  { "thresholds", thresholds_text },
}

local function check_same(documents, names)
  for _, what in ipairs(same) do
    for i = 2, #documents do
      local a, b = what[2](documents[1]), what[2](documents[i])
      if a ~= b then return ("%s and %s are not of one test: %s '%s' and '%s'"):format(names[1], names[i], what[1], a, b) end
    end
  end
end

local function check_shards(documents, names)
  local seen, texts, of = {}, {}, nil
  for i, document in ipairs(documents) do
    local text = json.encode(document)
    if texts[text] then return ("%s and %s are the same report"):format(texts[text], names[i]) end
    texts[text] = names[i]
    for _, shard in ipairs(document.shards) do
      of = of or { count = shard.count, name = names[i] }
      if shard.count ~= of.count then
        return ("%s is of a run of %d shards, %s of one of %d"):format(of.name, of.count, names[i], shard.count)
      end
      if shard.count > 1 and seen[shard.index] then
        return ("shard %d of %d is in %s and in %s"):format(shard.index, shard.count, seen[shard.index], names[i])
      end
      seen[shard.index] = names[i]
    end
  end
end

local function concatenated(documents, field)
  local list = {}
  for _, document in ipairs(documents) do
    for _, item in ipairs(document[field]) do list[#list + 1] = item end
  end
  return list
end

-- The items of a list, those of one name as one.
local function by_name(documents, field, key, add)
  local list, found = {}, {}
  for _, item in ipairs(concatenated(documents, field)) do
    local into = found[item[key]]
    if into then
      add(into, item)
    else
      into = {}
      for k, v in pairs(item) do into[k] = v end
      found[item[key]] = into
      list[#list + 1] = into
    end
  end
  table.sort(list, function(a, b) return a[key] < b[key] end)
  return list
end

local function optional_sum(a, b) return (a or b) and (a or 0) + (b or 0) end

local function add_counts(a, b)
  if not a or not b then return a or b end
  local sums = {}
  for cause, count in pairs(a) do sums[cause] = count end
  for cause, count in pairs(b) do sums[cause] = (sums[cause] or 0) + count end
  return sums
end

local function add_scenario(into, from)
  into.dropped_for = add_counts(into.dropped_for, from.dropped_for)
  into.iterations = into.iterations + from.iterations
  for _, field in ipairs { "iterations_dropped", "iterations_interrupted", "vus_max" } do
    into[field] = optional_sum(into[field], from[field])
  end
  -- Every part tells the rate of the whole test.
  if from.rate_target then into.rate_target = math.max(into.rate_target or 0, from.rate_target) end
  if from.start_s then into.start_s = math.min(into.start_s or from.start_s, from.start_s) end
  if from.duration_s then into.duration_s = math.max(into.duration_s or 0, from.duration_s) end
end

-- Events of all, counted from the first start.
local function events(documents, field, started_at)
  local list = {}
  for _, document in ipairs(documents) do
    for _, event in ipairs(document[field]) do
      local copy = {}
      for k, v in pairs(event) do copy[k] = v end
      copy.at_s = event.at_s + document.started_at - started_at
      list[#list + 1] = copy
    end
  end
  table.sort(list, function(a, b)
    if a.at_s ~= b.at_s then return a.at_s < b.at_s end
    return (a.node or a.target or "") < (b.node or b.target or "")
  end)
  return list
end

-- Every node, and for each document which of them its indexes are.
local function nodes_of(documents)
  local nodes, place, maps = {}, {}, {}
  for i, document in ipairs(documents) do
    maps[i] = { [-1] = -1 }
    for j, node in ipairs(document.environment.nodes) do
      if not place[node] then
        nodes[#nodes + 1] = node
        place[node] = #nodes
      end
      maps[i][j] = place[node]
    end
  end
  return nodes, maps
end

-- Operations add, means are weighed with what they are of; owners and routes are those
-- of the document that ended last.
local function partitions(documents, maps)
  local out, count = nil, documents[1].environment.partition_count
  for i, document in ipairs(documents) do
    local from = document.partitions
    if from then
      out = out or { owners = {}, routed = {}, ops = {}, latency = {}, samples = {} }
      for p = 1, count do
        local samples, before = from.samples[p], out.samples[p] or 0
        local mean, mean_before = from.latency[p] or 0, out.latency[p] or 0
        out.owners[p], out.routed[p] = maps[i][from.owners[p]], maps[i][from.routed[p]]
        out.ops[p] = (out.ops[p] or 0) + from.ops[p]
        out.samples[p] = before + samples
        out.latency[p] = before + samples > 0 and (mean_before * before + mean * samples) / (before + samples) or false
      end
    end
  end
  return out
end

local function joined(documents, field)
  local list, seen = {}, {}
  for _, document in ipairs(documents) do
    local text = document[field]
    if text and not seen[text] then
      seen[text] = true
      list[#list + 1] = text
    end
  end
  return #list > 0 and table.concat(list, "; ") or nil
end

-- The worst of the parts; passed and failed are decided by the thresholds of the whole.
-- A part may have failed without one (--strict).
local function outcome_of(documents, thresholds)
  local worst, forced = documents[1], false
  for _, document in ipairs(documents) do
    if ranks[document.outcome] < ranks[worst.outcome] then worst = document end
    local own = false
    for _, threshold in ipairs(document.thresholds) do own = own or not threshold.passed end
    forced = forced or document.outcome == "failed" and not own
  end
  if ranks[worst.outcome] < ranks.failed then return worst.outcome, worst.reason end
  for _, threshold in ipairs(thresholds) do
    if not threshold.passed then return "failed", worst.reason or "a threshold was crossed" end
  end
  if forced then return "failed", joined(documents, "reason") end
  return "passed", nil
end

-- By their ends, then by shard: the result does not depend on the order of the
-- arguments, and what is the last one's word is that of who looked last.
local function in_order(documents)
  local keys, sorted = {}, {}
  for i, document in ipairs(documents) do
    local shard = document.shards[1]
    sorted[i] = document
    keys[document] = { document.started_at + document.duration_s, shard and shard.index or 0, json.encode(document) }
  end
  table.sort(sorted, function(one, other)
    local a, b = keys[one], keys[other]
    for i = 1, 3 do
      if a[i] ~= b[i] then return a[i] < b[i] end
    end
    return false
  end)
  return sorted
end

local function check(documents, names)
  for i, document in ipairs(documents) do
    local ok, wrong = validate.validate(document)
    if not ok then return ("%s: %s"):format(names[i], wrong) end
  end
  return check_same(documents, names) or check_shards(documents, names)
end

local function environment_of(documents, nodes)
  local out = {}
  for k, v in pairs(documents[1].environment) do out[k] = v end
  out.nodes = nodes
  for _, document in ipairs(documents) do -- the worst machine's
    local steal = document.environment.cpu_steal
    if steal then out.cpu_steal = math.max(out.cpu_steal or 0, steal) end
  end
  return out
end

local function same_seed(documents)
  for _, document in ipairs(documents) do
    if document.seed ~= documents[1].seed then return nil end
  end
  return documents[1].seed
end

local function shards_of(documents)
  local list = concatenated(documents, "shards")
  table.sort(list, function(a, b)
    if a.index ~= b.index then return a.index < b.index end
    return a.started_at < b.started_at
  end)
  return list
end

local function any(documents, field, value)
  for _, document in ipairs(documents) do
    if document[field] == value then return true end
  end
  return false
end

local function assemble(documents, metrics, series, started_at, ends)
  local nodes, maps = nodes_of(documents)
  local thresholds = merge_metrics.thresholds(documents[1].thresholds, documents, metrics, ends - started_at)
  local outcome, reason = outcome_of(documents, thresholds)
  local environment = environment_of(documents, nodes)
  local scenarios = by_name(documents, "scenarios", "name", add_scenario)
  local limited = merge_limit.judge(documents, { environment = environment, scenarios = scenarios, metrics = metrics })
  local document = {
    schema = schema.version, name = documents[1].name, script = documents[1].script, seed = same_seed(documents),
    started_at = started_at, duration_s = ends - started_at, finished = not any(documents, "finished", false),
    outcome = outcome, reason = reason, limit = limited.limit,
    generator_late = limited.late, limit_reason = limited.reason,
    shards = shards_of(documents), environment = environment,
    scenarios = scenarios, metrics = metrics, series = series,
    partitions = partitions(documents, maps), faults = events(documents, "faults", started_at),
    failovers = events(documents, "failovers", started_at), thresholds = thresholds,
    checks = by_name(documents, "checks", "name", function(into, from)
      into.passed, into.failed = into.passed + from.passed, into.failed + from.failed
    end),
    errors = by_name(documents, "errors", "code", function(into, from) into.count = into.count + from.count end),
  }
  if not verdict.is_part(document) then
    document.outcome, document.reason = measured.judge(document.outcome, document.reason, metrics, document.checks)
  end
  return document
end

--- One document of several.
---@param documents table[]
---@param names string[]|nil  what they are called in errors; "report 1" and so on
---@return table|nil, string|nil err  which two do not fit together, and why
function M.merge(documents, names)
  if #documents == 0 then return nil, "there is no report to merge" end
  names = names or {}
  for i = 1, #documents do names[i] = names[i] or ("report %d"):format(i) end
  local wrong = check(documents, names)
  if wrong then return nil, wrong end
  documents = in_order(documents)
  local started_at, ends = math.huge, 0
  for _, document in ipairs(documents) do
    started_at = math.min(started_at, document.started_at)
    ends = math.max(ends, document.started_at + document.duration_s)
  end
  local metrics, err = merge_metrics.merge(documents)
  if not metrics then return nil, err end
  local series, why = merge_series.merge(documents, started_at)
  if not series then return nil, why end
  return assemble(documents, metrics, series, started_at, ends)
end

return M
