--- What specs expect of a schedule of chaos.
local assert = require "luassert"
local checker = require "chaos.checker"

--- Findings that a failure shows at most.
local SHOWN = 10

local function story(result)
  local lines = { ("seed %d on %s: %s"):format(result.seed, result.url, result.plan) }
  for i = 1, math.min(SHOWN, #result.report.findings) do lines[i + 1] = checker.describe(result.report.findings[i]) end
  return table.concat(lines, "\n")
end

---@param result table  of a schedule
return function(result)
  assert.equal(0, #result.report.findings, story(result))
  assert.is_true(result.report.counts.acknowledged > 100, "next to nothing was acknowledged")
end
