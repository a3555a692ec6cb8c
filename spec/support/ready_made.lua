--- The ready-made scenarios of scripts/load, run by specs.
local assert = require "luassert"
local load_run = require "spec.support.load_run"
local process = require "wingman.loop.process"
local report = require "wingman.report"

local metric = load_run.metric

local M = {}

--- Seconds that each runs; faults need some for a failover.
---@type table<string, integer>
M.seconds = {
  smoke = 1, throughput = 2, ["write-heavy"] = 1, ["read-heavy"] = 1, ycsb = 1, ["connection-storm"] = 1, soak = 1,
  failover = 3, rebalance = 3, ["hot-key"] = 1, ["large-values"] = 1, ["replica-lag"] = 1,
}

--- The folder of the scripts, from here, with a slash.
M.folder = debug.getinfo(1, "S").source:match "^@(.*)spec/support/[^/]*$" .. "scripts/load/"

--- Runs a script: its report, its exit code, and what it has written.
---@param name string
---@param env table<string, string>
---@return table|nil document, integer|string code, string text
function M.run(name, env)
  local out = load_run.file ""
  local child = assert(process.spawn {
    file = process.wingman_path(), args = { "run", "--quiet", "--out", "json=" .. out, M.folder .. name .. ".lua" }, env = env, stderr = true,
  })
  local code, text, err = load_run.finish(child)
  return report.read(out), code, text .. err
end

--- What a busy machine alone can break: durations, and arrivals that the generator was late for.
local function is_about_speed(document, threshold)
  local name = threshold.metric:match "^[%w_]+"
  if name == "iterations_dropped" then return true end
  for _, one in ipairs(document.metrics) do
    if one.name == name then return one.unit == "s" end
  end
  return false
end

local function failures(document)
  local lines = {}
  for _, one in ipairs(document and document.thresholds or {}) do
    if not one.passed and not is_about_speed(document, one) then
      lines[#lines + 1] = ("%s %s: %s"):format(one.metric, one.expression, tostring(one.value))
    end
  end
  return table.concat(lines, "; ")
end

--- The variables with which a ready-made script is run.
---@param name string
---@return table<string, string>
function M.environment(name)
  return { DURATION = M.seconds[name] .. "s", RATE = name == "throughput" and "5000" or nil, VUS = "60" }
end

--- Runs a script and expects that it passes, but for thresholds about speed: the document of its report.
---@param name string
---@param env table<string, string>
---@return table
function M.check(name, env)
  local document, code, text = M.run(name, env)
  local failed = failures(document)
  assert.equal("", failed, name .. ": " .. text)
  assert.is_true(code == 0 or code == 99, ("%s ended with %s: %s"):format(name, tostring(code), text))
  assert.equal(code == 0 and "passed" or "failed", document.outcome)
  assert.is_true(metric(document, "iterations").count > 0)
  assert.is_true(#document.thresholds >= 2)
  return document
end

return M
