--- Random faults while clients write, and a check of
--- what every node holds afterwards against everything that clients were answered.
---
--- usage: wingman run scripts/chaos.lua [--minutes M] [--seed N] [--cluster URL] [--json]
local directory = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = directory .. "/?.lua;" .. package.path

local cjson = require "cjson"
local checker = require "chaos.checker"
local cluster_url = require "wingman.client.options.cluster_url"
local core = require "wingman.core"
local faults = require "chaos.faults"
local loop = require "wingman.loop"
local pool = require "chaos.pool"
local schedule = require "chaos.schedule"
local summary_module = require "chaos.summary"
local text_table = require "wingman.text.table"
local usage = require "wingman.options.usage"
local wingman = require "wingman"

local USAGE = [[
usage: wingman run scripts/chaos.lua [OPTIONS]

Tests clients under faults. In each schedule four clients write, remove and read while
nodes, connections and client processes fail. Then all faults end, every node is read back,
and its records are checked against the acknowledgements that the clients received. The
seed determines the schedule.

  --seed N       the first seed (default: from the clock); without --schedules and
                 --minutes: run this schedule only
  --schedules N  number of schedules, with consecutive seeds (default 60)
  --minutes M    run schedules for this long
  --cluster URL  sim://3 or sim://3?dialect=0.11 or topgun://3, the real server
                 (default: the variable WINGMAN_CLUSTER, or the two sims in turns)
  --jobs N       schedules that run in parallel (default 4; on topgun:// 1)
  --json         print one JSON object

exit codes: 0 no violation was found, 1 a violation was found or a schedule could not be
completed, 2 usage error
]]

--- Findings of a schedule that are shown, and seconds between two lines of progress.
local SHOWN, PROGRESS_EVERY = 8, 10

local RULES = {
  seed = { type = "number", min = 1 }, schedules = { type = "number", whole = true, min = 1 }, minutes = { type = "number", min = 1e-3 },
  cluster = { type = "string", default = os.getenv "WINGMAN_CLUSTER" }, jobs = { type = "number", whole = true, min = 1 },
  json = { type = "boolean" },
}

local function check(options)
  if not options.cluster then return true end
  local ok, wrong = cluster_url.check_embedded(options.cluster)
  if not ok then return nil, ("--cluster: %s: what is killed must have been started here"):format(wrong) end
  return true
end

local options = usage.read_script(RULES, USAGE, check)
local is_real = options.cluster ~= nil and options.cluster:match "^topgun" ~= nil
local seed = options.seed or os.time() % 1000000
local count = options.schedules or (options.minutes and math.huge) or (options.seed and 1) or 60
local begun = loop.now()

local function say(format, ...)
  if options.json then return end
  io.write(format:format(...))
  io.flush()
end

local function clock(seconds) return ("%d:%02d"):format(seconds / 60, seconds % 60) end

local function progress(summary)
  local time = loop.now() - begun
  say("  %s%s  %s schedules, %s faults, %s operations, %s findings\n", clock(time),
    options.minutes and " of " .. clock(options.minutes * 60) or "", text_table.count(summary.schedules),
    text_table.count(summary:fault_count()), text_table.count(summary.ops), text_table.count(summary.found))
end

local function tell_failure(result)
  say("\nseed %d on %s: %d findings\n  %s\n", result.seed, result.url, #result.report.findings, result.plan)
  for i = 1, math.min(SHOWN, #result.report.findings) do say("  %s\n", checker.describe(result.report.findings[i])) end
  say("  again: wingman run scripts/chaos.lua --seed %d%s\n\n", result.seed, options.cluster and " --cluster " .. options.cluster or "")
end

local function seeds()
  local given = 0
  return function()
    local is_over = options.minutes and loop.now() - begun >= options.minutes * 60
    if given >= count or is_over then return nil end
    given = given + 1
    return seed + given - 1
  end
end

local function main()
  local target = options.cluster or "sim://3 and sim://3?dialect=0.11"
  say("chaos: seeds from %d on %s\n\n", seed, target)
  local summary = summary_module.new()
  local run, finish = schedule.runner(options.cluster)
  local function finished(failed_seed, result, err)
    if result then
      summary:add(result)
      if #result.report.findings > 0 then tell_failure(result) end
    else
      summary:broke(failed_seed)
      say("\nseed %d could not be run to its end: %s\n\n", failed_seed, err)
    end
  end
  local over = false
  local teller = loop.spawn(function()
    while not loop.wait_until(function() return over end, PROGRESS_EVERY) do progress(summary) end
  end)
  pool.start(is_real and 1 or options.jobs or 4, seeds(), run, finished):join()
  over = true
  teller:wait()
  finish()
  if options.json then
    local data = summary:data()
    data.seed, data.cluster, data.seconds = seed, target, core.now() - begun
    print(cjson.encode(data))
  else
    summary:print(faults.about)
  end
  return summary:is_clean() and 0 or 1
end

return wingman.run(main)
