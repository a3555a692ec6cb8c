--- Two runs beside each other, with a verdict that knows the noise of both: what moved
--- by more than the intervals of the runs themselves move (see bootstrap.lua) is better
--- or worse; the rest is "no difference that this noise allows to see", with the
--- interval. Each number has an interval of 99 %, so that five of them together say
--- "different" of equal runs in at most one of twenty comparisons. Of two kinds of work,
--- writes and reads, there are nine.
---
--- What it cannot know is what changed between two runs and in neither: another
--- machine, a cold cache, a neighbour. `tolerance` is for that.
local bootstrap = require "wingman.report.diff.bootstrap"
local format = require "wingman.text.quantities"
local verdict = require "wingman.report.model.verdict"
local view = require "wingman.report.model.view"
local work = require "wingman.metrics.work"

local M = {}

-- Histograms of a series have 2 digits: a percentile may be off by a slot.
local SLOT = 0.01
-- What fewer operations than this say is chance: of a percentile, those beyond it.
local MIN_COUNT = 10
-- A wider interval of a change could hide a doubling: the verdict is unknown.
local TOO_WIDE = 1

local shares = { p50 = 0.5, p99 = 0.99, p99_9 = 0.999 }

---@class wingman.report.comparison
---@field verdict "better"|"worse"|"same"|"unknown"
---@field sentence string
---@field rows wingman.report.comparison.row[]
---@field notes string[]   why the two may not be comparable

---@class wingman.report.comparison.row
---@field name string
---@field unit string      "s", "ops/s", "reads/s", "queries/s", "iterations/s", "share", "ops"
---@field a number|nil
---@field b number|nil
---@field change number|nil  b / a - 1; b - a of shares and counts; nil when unknown, and of what was 0
---@field low number|nil     of the change
---@field high number|nil
---@field verdict "better"|"worse"|"same"|"unknown"|"noisy"
---@field reason string|nil  of "unknown"

local function column(resamples, name)
  local list = {}
  for i, one in ipairs(resamples) do list[i] = one[name] end
  return list
end

local function judge(row, tolerance, more_is_better)
  row.verdict = "same"
  if row.low > tolerance then row.verdict = more_is_better and "better" or "worse" end
  if row.high < -tolerance then row.verdict = more_is_better and "worse" or "better" end
  local is_within = row.low >= -tolerance and row.high <= tolerance
  if row.verdict == "same" and not is_within and row.high - row.low > TOO_WIDE then row.verdict = "noisy" end
  return row
end

local function ratio_row(name, unit, a, b, drawn, options)
  local row = { name = name, unit = unit, a = a, b = b, verdict = "unknown" }
  if options.reason then
    row.reason = options.reason
    return row
  end
  local low, high = bootstrap.interval(column(drawn.a, options.field), column(drawn.b, options.field), drawn.blocks, true)
  local margin = options.margin or 0
  row.change = b / a - 1
  row.low = math.min(low * (1 - margin) - 1, row.change)
  row.high = math.max(high * (1 + margin) - 1, row.change)
  return judge(row, options.tolerance, options.more_is_better)
end

-- The kinds of work that one of the two did. Where neither did any, iterations are compared.
local function kinds_of(a, b)
  local kinds = {}
  for _, kind in ipairs(work) do
    if view.count(a, kind.count) + view.count(b, kind.count) > 0 then kinds[#kinds + 1] = kind end
  end
  return kinds
end

-- The count of a throughput, the name of its row, and its unit.
local function throughput_of(kind)
  if not kind then return "iterations", "throughput", "iterations/s" end
  if kind.name == "write" then return kind.count, "throughput", "ops/s" end
  return kind.count, kind.many, kind.many .. "/s"
end

-- One of the two did nothing. That has no noise, and needs no intervals to be told, unless
-- the other did so little that its being there is chance.
local function stopped_row(row, most, tolerance)
  if row.a == row.b then
    row.reason = "nothing was done"
  elseif most < MIN_COUNT then
    row.reason = "too little was done"
  elseif row.b == 0 then
    row.change, row.verdict = -1, tolerance < 1 and "worse" or "same"
  else
    row.verdict = "better"
  end
  return row
end

local function rate_row(a, b, kind, drawn, tolerance, reason)
  local count, name, unit = throughput_of(kind)
  local count_a, count_b = view.count(a, count), view.count(b, count)
  local rate_a, rate_b = view.per_second(a, count_a), view.per_second(b, count_b)
  if rate_a == 0 or rate_b == 0 then
    local row = { name = name, unit = unit, a = rate_a, b = rate_b, verdict = "unknown" }
    return stopped_row(row, math.max(count_a, count_b), tolerance)
  end
  return ratio_row(name, unit, rate_a, rate_b, drawn,
    { field = kind and "throughput" or "iterations", tolerance = tolerance, more_is_better = true, reason = reason })
end

-- The trends of the kind in both, or of iterations.
local function trends_of(a, b, kind)
  local name = kind and kind.latency or "iteration_duration"
  local of_a, of_b = view.total(a, name), view.total(b, name)
  if of_a and of_b and of_a.type == "trend" and of_b.type == "trend" and of_a.count > 0 and of_b.count > 0 then return of_a, of_b end
end

local function add_latency_rows(rows, a, b, kind, drawn, tolerance, reason)
  local of_a, of_b = trends_of(a, b, kind)
  if not of_a then return end
  local before = kind and kind.name ~= "write" and kind.name .. " " or ""
  for _, field in ipairs { "p50", "p99", "p99_9" } do
    local why = reason
    local beyond = math.min(of_a.count, of_b.count) * (1 - shares[field])
    if beyond < MIN_COUNT then why = why or ("too few %s lie beyond it"):format(before == "" and "operations" or kind.many) end
    if not kind then why = why or "the series is of operations" end
    if of_a[field] == 0 or of_b[field] == 0 then why = why or "it is below what can be measured" end
    rows[#rows + 1] = ratio_row(before .. field:gsub("_", "."), of_a.unit, of_a[field], of_b[field], drawn,
      { field = field, tolerance = tolerance, margin = SLOT, reason = why })
  end
end

-- The throughput of a kind of work, and its latency.
local function add_kind_rows(rows, a, b, kind, drawn, tolerance, reason)
  rows[#rows + 1] = rate_row(a, b, kind, drawn, tolerance, reason)
  add_latency_rows(rows, a, b, kind, drawn, tolerance, reason)
end

local function error_count(document)
  local n = 0
  for _, err in ipairs(document.errors) do n = n + err.count end
  return n
end

local function error_share(document)
  local done = 0
  for _, kind in ipairs(work) do done = done + view.count(document, kind.count) end
  return bootstrap.error_share(error_count(document), done, (view.count(document, "iterations")))
end

-- The share of what was tried that failed, as a difference: none is a good number to have.
local function error_row(a, b, drawn, reason)
  if error_count(a) == 0 and error_count(b) == 0 then return nil end
  local row = { name = "errors", unit = "share", a = error_share(a), b = error_share(b), verdict = "unknown", reason = reason }
  if reason then return row end
  row.change = row.b - row.a
  local low, high = bootstrap.interval(column(drawn.a, "errors"), column(drawn.b, "errors"), drawn.blocks, false)
  row.low, row.high = math.min(low, row.change), math.max(high, row.change)
  return judge(row, 0, false)
end

-- Writes that nobody confirmed are no noise.
local function unacknowledged_row(a, b)
  local of_a, known_a = view.count(a, "ops_unacknowledged")
  local of_b, known_b = view.count(b, "ops_unacknowledged")
  if not known_a or not known_b then return nil end
  return { name = "unacknowledged", unit = "ops", a = of_a, b = of_b, change = of_b - of_a,
    verdict = of_b > of_a and "worse" or of_b < of_a and "better" or "same" }
end

--- A change as people read it: "+25.3 %", "-14 %", "+3" of counts; "from 0" where no ratio is.
---@param row wingman.report.comparison.row
---@param n number|nil
---@return string
function M.change_text(row, n)
  if n == nil then return "from 0" end
  if row.unit == "ops" then return (n > 0 and "+" or "") .. format.count(n) end
  if n >= 10 then return ("x %s"):format(format.number(n + 1)) end
  local text = (math.abs(n) < 0.9995 and "%+.1f %%" or "%+.0f %%"):format(n * 100)
  return (text:gsub("^[+-](0%.0 %%)$", "%1"))
end

local compared = {
  { "test", function(d) return d.name end },
  { "script", function(d) return d.script end },
  { "cluster", function(d) return d.environment.cluster end },
  { "dialect", function(d) return d.environment.dialect end },
  { "policy", function(d) return d.environment.policy end },
  { "number of processors kept awake", function(d) return d.environment.processors_awake end },
  { "number of nodes", function(d) return #d.environment.nodes end },
  { "number of shards", function(d) return #d.shards end },
}

local function notes_of(a, b, names)
  local notes = {}
  for _, what in ipairs(compared) do
    local of_a, of_b = what[2](a), what[2](b)
    if of_a ~= of_b then
      notes[#notes + 1] = ("the %s differs: %s and %s"):format(what[1], tostring(of_a or "none"), tostring(of_b or "none"))
    end
  end
  for i, document in ipairs { a, b } do
    local limit = verdict.limit(document)
    if limit then notes[#notes + 1] = names[i] .. ": " .. limit end
    local head = verdict.headline(document)
    if not head.good then notes[#notes + 1] = ("%s %s: %s"):format(names[i], head.word, head.sentence) end
  end
  return notes
end

-- "p50 +25.3 %, unacknowledged +3".
local function named(rows, word)
  local parts = {}
  for _, row in ipairs(rows) do
    if row.verdict == word then parts[#parts + 1] = row.name .. " " .. M.change_text(row, row.change) end
  end
  return #parts > 0 and table.concat(parts, ", ") or nil
end

local function overall(rows)
  local worse, better, noisy, same = named(rows, "worse"), named(rows, "better"), named(rows, "noisy"), 0
  if worse then return "worse", better and worse .. "; but better: " .. better or worse end
  if noisy then
    return "unknown", ("too noisy to tell: %s%s"):format(noisy, better and "; better: " .. better or "")
  end
  if better then return "better", better end
  for _, row in ipairs(rows) do same = same + (row.verdict == "same" and row.low and 1 or 0) end
  if same > 0 then return "same", "no difference that this noise allows to see" end
  return "unknown", "these runs are too short to tell noise from change"
end

local function noise_of(a, b, kind)
  local of_a, of_b = bootstrap.intervals(a, view.seconds, kind), bootstrap.intervals(b, view.seconds, kind)
  local fewest = math.min(of_a.n, of_b.n)
  if fewest < bootstrap.min_intervals then
    return nil, ("%d whole intervals say too little about the noise, %d are needed"):format(fewest, bootstrap.min_intervals)
  end
  return {
    a = bootstrap.resamples(of_a, shares, 20011), b = bootstrap.resamples(of_b, shares, 40009),
    blocks = math.min(of_a.n / bootstrap.block_length(of_a), of_b.n / bootstrap.block_length(of_b)),
  }
end

--- Compares two documents: is `b` better or worse than `a`?
---@param a table
---@param b table
---@param options { names: string[]|nil, tolerance: number|nil }|nil  tolerance: a share by
---  which throughput and latency may differ and still count as the same; default 0
---@return wingman.report.comparison
function M.diff(a, b, options)
  options = options or {}
  local rows, kinds, first, reason = {}, kinds_of(a, b), nil, nil
  for i = 1, math.max(1, #kinds) do
    local drawn, wrong = noise_of(a, b, kinds[i])
    if i == 1 then first, reason = drawn, wrong end
    add_kind_rows(rows, a, b, kinds[i], drawn, options.tolerance or 0, wrong)
  end
  rows[#rows + 1] = error_row(a, b, first, reason)
  rows[#rows + 1] = unacknowledged_row(a, b)
  local word, sentence = overall(rows)
  return { verdict = word, sentence = sentence, rows = rows, notes = notes_of(a, b, options.names or { "the first", "the second" }) }
end

return M
