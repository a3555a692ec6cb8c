--- The exit codes of a load test and of its reports.
local escape = require "wingman.base.escape"
local format = require "wingman.text.quantities"
local verdict = require "wingman.report.model.verdict"
local view = require "wingman.report.model.view"

local M = {
  passed = 0, script_error = 1, usage = 2, no_connection = 3, parts_missing = 96, cannot_tell = 97, not_kept_up = 98,
  thresholds_failed = 99, hung_up = 129, interrupted = 130, terminated = 143,
}

--- When a command ends with each.
M.about = {
  passed = "done; a load test passed",
  script_error = "the script raised an error, the cluster failed, a planned fault did not take place, a load test measured nothing, or a file could not be read or written",
  usage = "usage error: an option, a script, a test, a URL or an output that cannot work, refused before anything ran",
  no_connection = "a load test could not connect",
  parts_missing = "`report merge`: shards of the run are missing",
  cannot_tell = "`report diff`: the noise is too large, or the runs are too short, to tell",
  not_kept_up = "`--strict`: the generator was late, or iterations were dropped",
  thresholds_failed = "a threshold failed; `report diff`: the second run is worse",
  hung_up = "SIGHUP: the terminal went away (ignored under `nohup`)",
  interrupted = "SIGINT (Ctrl-C), or `ctl stop` of a run without a failed threshold",
  terminated = "SIGTERM",
}

local of_outcome = {
  passed = M.passed, failed = M.thresholds_failed, aborted = M.thresholds_failed, error = M.script_error, interrupted = M.interrupted,
}

--- Why a run that passed has not with --strict: the generator was late, or load was dropped.
---@param document table
---@return string|nil  nil when it kept up, and when it has not passed anyway
function M.strict_reason(document)
  local dropped = view.count(document, "iterations_dropped")
  if document.outcome ~= "passed" or not document.generator_late and dropped == 0 then return nil end
  local limit = verdict.limit(document)
  if limit then return limit end
  if dropped == 0 then return "the generator was late" end
  return format.plural(dropped, "iteration") .. (dropped == 1 and " was dropped" or " were dropped")
end

--- Says on standard error why a run that passed has not with --strict, if so.
---@param command string  who says it
---@param document table
function M.tell_strict(command, document)
  local reason = M.strict_reason(document)
  if reason then io.stderr:write(escape.plain(("%s: --strict: %s"):format(command, reason)), "\n") end
end

--- What a document says of its run. A report of some shards of several says 0 unless one of
--- them was ended early: only the whole can be judged.
---@param document table
---@param strict boolean|nil  a generator that was late, or load that was dropped, has not passed
---@return integer
function M.of(document, strict)
  if strict and M.strict_reason(document) then return M.not_kept_up end
  return of_outcome[document.outcome]
end

return M
