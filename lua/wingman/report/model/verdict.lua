--- What a report has to say first, in a word and a sentence; and what every format of
--- it says about the generator. The formats only dress it.
local format = require "wingman.text.quantities"
local kinds = require "wingman.metrics.work"
local view = require "wingman.report.model.view"

local M = {}

local words = { passed = "PASSED", failed = "FAILED", aborted = "ABORTED", interrupted = "INTERRUPTED", error = "ERROR" }

-- The unit of a threshold's value: its own, or that of the metric it is about.
local function threshold_unit(document, threshold)
  if threshold.unit then return threshold.unit end
  if threshold.expression:match "^%s*count" or threshold.expression:match "^%s*rate" then return nil end
  local name = threshold.metric:match "^[^{]*"
  for _, metric in ipairs(document.metrics) do
    if metric.name == name and (metric.type == "trend" or metric.type == "gauge") then return metric.unit end
  end
end

--- What was measured for a threshold, as text.
---@param document table
---@param threshold table
---@return string
function M.threshold_value(document, threshold)
  if threshold.value == nil then return "nothing measured" end
  local unit = threshold_unit(document, threshold)
  if unit and view.seconds(unit) then return format.duration(threshold.value) end -- times are in seconds, whatever the unit
  return format.quantity(threshold.value, unit == "bytes" and unit or nil)
end

--- The thresholds that were not kept.
---@param document table
---@return table[]
function M.failed_thresholds(document)
  local failed = {}
  for _, threshold in ipairs(document.thresholds) do
    if not threshold.passed then failed[#failed + 1] = threshold end
  end
  return failed
end

local function thresholds_sentence(document)
  local failed = M.failed_thresholds(document)
  local first = failed[1]
  if not first then return document.reason or "a threshold was crossed" end
  local text = ("%s %s was %s"):format(first.metric, first.expression, M.threshold_value(document, first))
  if #failed == 1 then return text end
  return text .. (", and %d more of %d thresholds"):format(#failed - 1, #document.thresholds)
end

-- What became of the work, in the order of their weight: what was neither confirmed nor
-- refused may be stored or not, and nothing was read back.
local function remainders(document)
  local parts = {}
  local unacknowledged, known = view.count(document, "ops_unacknowledged")
  if known then
    parts[1] = (unacknowledged == 0 and "none" or format.count(unacknowledged)) .. " unacknowledged"
  end
  for _, other in ipairs { { "ops_unverified", "unverified" }, { "ops_rejected", "rejected" }, { "ops_dropped", "displaced from the op log" } } do
    local n = view.count(document, other[1])
    if n > 0 then parts[#parts + 1] = format.count(n) .. " " .. other[2] end
  end
  return parts
end

local function error_count(document)
  local n = 0
  for _, one in ipairs(document.errors) do n = n + one.count end
  return n
end

-- "5,000 reads in 30 s, 3 of absent keys, 12 failed"; nil when there were none.
local function answered(document, kind, time)
  local done, absent, failed = view.count(document, kind.count), view.count(document, kind.count .. "_absent"), view.count(document, kind.count .. "_failed")
  if done + failed == 0 then return nil end
  local parts = { ("%s %s"):format(format.count(done), done == 1 and kind.name or kind.many) }
  if time then parts[1] = parts[1] .. " in " .. time end
  if absent > 0 then parts[#parts + 1] = format.count(absent) .. " of absent keys" end
  if failed > 0 then parts[#parts + 1] = format.count(failed) .. " failed" end
  return table.concat(parts, ", ")
end

-- "60,000 operations acknowledged in 30 s, none unacknowledged, 900 reads, 12 errors".
local function work_sentence(document)
  local time = format.duration(document.duration_s)
  local parts = {}
  if view.count(document, "ops_recorded") > 0 or view.count(document, "ops_acked") > 0 then
    parts[1] = ("%s acknowledged in %s"):format(format.plural(view.count(document, "ops_acked"), "operation"), time)
    for _, text in ipairs(remainders(document)) do parts[#parts + 1] = text end
  end
  for _, kind in ipairs(kinds) do
    if kind.name ~= "write" then parts[#parts + 1] = answered(document, kind, #parts == 0 and time or nil) end
  end
  if #parts == 0 then parts[1] = ("%s in %s"):format(format.plural(view.count(document, "iterations"), "iteration"), time) end
  local errors = error_count(document)
  if errors > 0 then parts[#parts + 1] = format.plural(errors, "error") end
  return table.concat(parts, ", ")
end

---@class wingman.report.headline
---@field word string     "PASSED", "FAILED", …
---@field good boolean
---@field sentence string  why, or what was done
---@field work string     what was done

--- How many of the shards that were started are in the document: nil when all are.
---@param document table
---@return string|nil
function M.missing_shards(document)
  local wanted = 0
  for _, shard in ipairs(document.shards) do wanted = math.max(wanted, shard.count) end
  if #document.shards >= wanted then return nil end
  return ("%d of %d shards %s in this report"):format(#document.shards, wanted, #document.shards == 1 and "is" or "are")
end

--- Whether thresholds say nothing yet, since shards are missing. What was measured for them
--- is that of a part.
---@param document table
---@return boolean
function M.is_part(document) return M.missing_shards(document) ~= nil end

--- The line that is to be found in a second.
---@param document table
---@return wingman.report.headline
function M.headline(document)
  local outcome = document.outcome
  if M.is_part(document) and (outcome == "passed" or outcome == "failed") then
    local work = work_sentence(document)
    return { word = "PART", good = true, sentence = work, work = work }
  end
  local work = work_sentence(document)
  local sentence = work
  if outcome == "failed" or outcome == "aborted" then
    sentence = thresholds_sentence(document)
  elseif outcome ~= "passed" then
    sentence = document.reason or "the run did not come to its end"
  end
  return { word = words[outcome], good = outcome == "passed", sentence = sentence, work = work }
end

local limits = {
  generator = "the generator was the limit",
  cluster = "the cluster was the limit",
  users = "the number of users was the limit",
  log = "the op log was the limit",
}

--- What kept the run from more, as a sentence; nil: nothing did.
---@param document table
---@return string|nil
function M.limit(document)
  local text = limits[document.limit]
  if not text then return nil end
  return document.limit_reason and text .. ": " .. document.limit_reason or text
end

--- The warning that the numbers are the generator's: nil when it was on time.
---@param document table
---@return string|nil
function M.late(document) return document.generator_late and M.limit(document) or nil end

--- Where errors of a code came from: "writes 500, reads 3"; "" when no scenario had them.
---@param document table
---@param code string
---@return string
function M.error_sources(document, code)
  local parts = {}
  for i, one in ipairs(view.errors_by_scenario(document, code)) do parts[i] = one.name .. " " .. format.count(one.count) end
  return table.concat(parts, ", ")
end

--- What is to be said of values that a trend could not hold, a sentence for each trend.
---@param document table
---@return string[]
function M.overflows(document)
  local list = {}
  for i, one in ipairs(view.overflowed(document)) do
    local unit = (view.seconds(one.unit) or one.unit == "bytes") and one.unit or nil
    local most = view.seconds(one.unit) and format.duration(one.most * view.seconds(one.unit)) or format.quantity(one.most, unit)
    list[i] = ("%s of %s %s above %s, which is the most that it holds; its percentiles and its mean are too small")
      :format(format.plural(one.count, "value"), one.name, one.count == 1 and "was" or "were", most)
  end
  return list
end

return M
