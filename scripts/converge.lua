--- Replicas under random faults: after quiet each has to show, byte by byte, what the nodes hold.
---
--- usage: wingman run scripts/converge.lua [--seeds N] [--seed FIRST] [--cluster URL] [--json]
local directory = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = directory .. "/?.lua;" .. package.path

local cjson = require "cjson"
local loop = require "wingman.loop"
local pool = require "chaos.pool"
local run_module = require "converge.run"
local text_table = require "wingman.text.table"
local usage = require "wingman.options.usage"
local wingman = require "wingman"

local USAGE = [[
usage: wingman run scripts/converge.lua [OPTIONS]

Tests that replicas converge. In each schedule one to four clients write and remove values of all kinds while
nodes and connections fail, partitions move and nodes drop announcements; one to three clients
replicate the map. Then all faults end, and each replica is compared with what the nodes hold: keys,
values byte by byte, stamps, and what a watch was told last. The seed determines the schedule.

  --seeds N      number of schedules, with consecutive seeds (default 1)
  --seed N       the first seed (default 1); alone: run this schedule again
  --cluster URL  topgun://3, the real server (default: a simulated cluster of the seed's choice: 0.11, 2.2.0 or head)
  --jobs N       schedules that run in parallel (default 6; on topgun:// 1)
  --json         print one JSON object

exit codes: 0 no key differs, 1 a key differs or a schedule could not be completed, 2 usage error
]]

--- Differences of a schedule that are shown, and seconds between two lines of progress.
local SHOWN, PROGRESS_EVERY = 8, 10

local function check(options)
  if not options.cluster or options.cluster == "topgun://3" then return true end
  return nil, ("--cluster: topgun://3 is expected, got '%s': a simulated cluster is of the seed's choice"):format(options.cluster)
end

local options = usage.read_script({
  seed = { type = "number", whole = true, min = 1, default = 1 }, seeds = { type = "number", whole = true, min = 1, default = 1 },
  cluster = { type = "string" }, jobs = { type = "number", whole = true, min = 1 }, json = { type = "boolean" },
}, USAGE, check)

local function say(format, ...)
  if options.json then return end
  io.write(format:format(...))
  io.flush()
end

local function again(seed)
  return ("again: wingman run scripts/converge.lua --seed %d%s"):format(seed, options.cluster and " --cluster " .. options.cluster or "")
end

local function tell_differences(result)
  say("\nseed %d: %d differences\n  %s\n", result.seed, #result.differences, result.plan)
  for i = 1, math.min(SHOWN, #result.differences) do
    local d = result.differences[i]
    say("  replica %d, %s: %s\n", d.replica, d.key, d.how)
  end
  say("  %s\n\n", again(result.seed))
end

local total = { schedules = 0, replicas = 0, keys = 0, lost = 0, repairs = 0, differences = 0, broken = 0, not_whole = 0, failed_seeds = {} }

local function finished(seed, result, err)
  if not result then
    total.broken = total.broken + 1
    say("\n%s\n  %s\n\n", err, again(seed))
  elseif not result.is_whole then
    total.not_whole = total.not_whole + 1
  else
    total.schedules = total.schedules + 1
    for _, name in ipairs { "replicas", "keys", "lost", "repairs" } do total[name] = total[name] + result[name] end
    total.differences = total.differences + #result.differences
    if #result.differences > 0 then tell_differences(result) end
  end
  if not result or #result.differences > 0 then table.insert(total.failed_seeds, seed) end
end

local function progress()
  say("  %s schedules, %s replicas, %s keys, %d differ, %d could not be completed\n", text_table.count(total.schedules),
    text_table.count(total.replicas), text_table.count(total.keys), total.differences, total.broken)
end

local function main()
  local run, finish = run_module.runner(options.cluster)
  local begun, taken, over = loop.now(), 0, false
  local function next_seed()
    taken = taken + 1
    return taken <= options.seeds and options.seed + taken - 1 or nil
  end
  local teller = loop.spawn(function()
    while not loop.wait_until(function() return over end, PROGRESS_EVERY) do progress() end
  end)
  pool.start(options.cluster and 1 or options.jobs or 6, next_seed, run, finished):join()
  over = true
  teller:wait()
  finish()
  total.seconds = loop.now() - begun
  if options.json then print(cjson.encode(total)) else progress() end
  say("  %d keys were lost by nodes and are shown on, %d records were found by comparing; %.0f s\n", total.lost, total.repairs, total.seconds)
  if total.not_whole > 0 then say("  after %d schedules the nodes did not know each other any more: not compared, and not counted above\n", total.not_whole) end
  return #total.failed_seeds == 0 and 0 or 1
end

return wingman.run(main)
