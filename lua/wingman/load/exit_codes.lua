--- The exit codes of a load test and of its reports.
local view = require "wingman.load.report.view"

local M = {
  passed = 0, script_error = 1, usage = 2, no_connection = 3, parts_missing = 96, cannot_tell = 97, not_kept_up = 98,
  thresholds_failed = 99, hung_up = 129, interrupted = 130, terminated = 143,
}

local of_outcome = {
  passed = M.passed, failed = M.thresholds_failed, aborted = M.thresholds_failed, error = M.script_error, interrupted = M.interrupted,
}

--- What a document says of its run. A report of some shards of several says 0 unless one of
--- them was ended early: only the whole can be judged.
---@param document table
---@param strict boolean|nil  a generator that was late, or load that was dropped, has not passed
---@return integer
function M.of(document, strict)
  local code = of_outcome[document.outcome]
  if code == M.passed and strict and (document.generator_late or view.count(document, "iterations_dropped") > 0) then
    return M.not_kept_up
  end
  return code
end

return M
