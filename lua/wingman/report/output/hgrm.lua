--- The latency distribution in the text form that HDR plotters read: milliseconds for
--- times. Comment lines come last, as plotters skip those that begin with "#".
local escape = require "wingman.base.escape"
local verdict = require "wingman.report.model.verdict"
local view = require "wingman.report.model.view"

local M = {}

local TICKS_PER_HALF = 5

--- The percentile distribution of a document's operations.
---@param document table
---@return string|nil, string|nil err
function M.format(document)
  local metric = view.main_latency(document)
  if not metric then return nil, "there is no latency in this report" end
  local h = view.histogram(metric.histogram)
  local step = view.seconds(metric.histogram.unit)
  local text = h:hgrm(nil, step and 1e-3 / step or 1, TICKS_PER_HALF)
  h:close()
  local late = verdict.late(document)
  return text .. (late and ("#[Generator late: %s]\n"):format(escape.plain(late)) or "")
end

return M
