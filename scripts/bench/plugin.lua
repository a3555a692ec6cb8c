--- What Wingman costs a game server's tick.
local directory = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = directory .. "/?.lua;" .. package.path

local cjson = require "cjson"
local ffi = require "ffi"
local read_options = require "options"
---@diagnostic disable-next-line: unresolved-require (specs are no part of the checked tree)
local steps = require "spec.support.steps"
local wingman = require "wingman"
local process = require "wingman.loop.process"
local sim = require "wingman.sim"
local text_table = require "wingman.text.table"

local USAGE = [[
usage: wingman run scripts/bench/plugin.lua [--seconds N] [--reloads N] [--json]
       (from the top of the repository, after a build)

  alone   ticks of arithmetic that always takes the same time, every 2 ms: what goes
          beyond its p50 is the machine's doing, in the rows below as well
  flow    a step every 2 ms, while this client writes 1,000 operations a second, each
          with on_ack, and hears of 1,000 more that another process writes
  burst   steps one after the other, while 10,000 changes of another process arrive
  frames  ticks of scripts/plugins/tick_host.c, 20 a second, without and with a plugin
  reload  loaded, connected, written, unloaded in a plain luajit

Each step is measured twice: by the clock, which has in it what other processes of
the machine took, and by the processor time of the thread, which is our own work. The
bar is the budget and 200 us, for 99.9 of 100 steps.

  --seconds N  of flow for each budget (default 10)
  --reloads N  (default 1000)
  --json       one JSON object as the last line, ratios under "ratios"
]]

local BUDGETS = { 100, 500, 2000 }
local TICK_US, RATE, BURST = 2000, 1000, 10000

ffi.cdef "int usleep(unsigned int us);"

local function summary(values, bar)
  local over = 0
  for _, value in ipairs(values) do
    if bar and value > bar then over = over + 1 end
  end
  return {
    steps = #values, p50 = steps.percentile(values, 0.5), p99 = steps.percentile(values, 0.99),
    p999 = steps.percentile(values, 0.999), max = steps.percentile(values, 1), over = bar and over or nil,
  }
end

local function writer(cluster, count, rate)
  return assert(process.spawn { file = process.wingman_path(), args = {
    "run", "spec/support/burst_writer.lua", table.concat(cluster.urls, ","), cluster.token, "bench", tostring(count),
    rate and tostring(rate) or nil,
  } })
end

local function connect(cluster)
  local client = wingman.client { cluster = { seeds = cluster.urls }, auth = { token = cluster.token } }
  assert(client:start())
  local heard = { count = 0 }
  client:map "bench":on("change", function() heard.count = heard.count + 1 end, { replicate = false })
  while not client:step(1000) do end
  return client, heard
end

-- Calls `tick` every TICK_US, for so many seconds.
local function every_tick(seconds, tick)
  local begun, next_tick = steps.now(), steps.now()
  while steps.now() - begun < seconds * 1e6 do
    tick(steps.now() - begun)
    next_tick = next_tick + TICK_US
    local wait = next_tick - steps.now()
    if wait > 0 then ffi.C.usleep(wait) else next_tick = steps.now() end
  end
end

local function calculate()
  local sum = 0
  for i = 1, 20000 do sum = sum + i % 7 end
  return sum
end

-- What the machine adds to a tick that is always the same.
local function alone(seconds)
  local times = { worked = {}, clock = {} }
  for _ = 1, 1000 do calculate() end -- LuaJIT compiles
  every_tick(seconds, function()
    local clock, worked = steps.now(), steps.worked()
    calculate()
    times.worked[#times.worked + 1] = steps.worked() - worked
    times.clock[#times.clock + 1] = steps.now() - clock
  end)
  return { worked = summary(times.worked), clock = summary(times.clock) }
end

-- One step, measured; `garbage` grows by what it left for the collector.
local function step(client, budget, times)
  local kilobytes, clock, worked = collectgarbage "count", steps.now(), steps.worked()
  client:step(budget)
  times.worked[#times.worked + 1] = steps.worked() - worked
  times.clock[#times.clock + 1] = steps.now() - clock
  local more = collectgarbage "count" - kilobytes
  if more > 0 then -- else the collector was at work
    times.garbage, times.grown = times.garbage + more, times.grown + 1
  end
end

local function new_times() return { worked = {}, clock = {}, garbage = 0, grown = 0 } end

local function flow(cluster, budget, seconds, times)
  local client, heard = connect(cluster)
  local map, acknowledged, written = client:map "own", 0, 0
  local function on_ack(ok) acknowledged = acknowledged + (ok and 1 or 0) end
  local child = writer(cluster, RATE * (seconds + 1), RATE)
  every_tick(seconds, function(passed)
    while written < passed * RATE / 1e6 do
      written = written + 1
      assert(map:set("key-" .. written % 1000, { x = written, y = 2, z = 3 }, { on_ack = on_ack }))
    end
    step(client, budget, times)
  end)
  times.acknowledged = acknowledged / seconds
  times.heard = heard.count / seconds
  child:wait(60)
  child:close()
  client:close()
end

local function burst(cluster, budget, times)
  local client, heard = connect(cluster)
  local child = writer(cluster, BURST)
  while heard.count == 0 do client:step(budget) end
  while heard.count < BURST do step(client, budget, times) end
  child:wait(60)
  child:close()
  client:close()
end

local function describe(times, budget)
  local bar = budget + 200
  return {
    budget = budget, worked = summary(times.worked, bar), clock = summary(times.clock, bar),
    garbage_kb_per_step = times.garbage / math.max(1, times.grown), acknowledged = times.acknowledged, heard = times.heard,
  }
end

local function frames(cluster, prefix, plugin)
  local child = assert(process.spawn { file = process.wingman_path():match "^(.*/)" .. "tick_host", args = { "200", plugin },
    stderr = true, env = {
      WINGMAN_PREFIX = prefix, WINGMAN_CLUSTER = table.concat(cluster.urls, ","), WINGMAN_TOKEN = cluster.token,
    } })
  local text, values = child:read_all(60), {}
  child:wait(60)
  child:close()
  for us in text:gmatch "%d+" do values[#values + 1] = tonumber(us) end
  for _ = 1, 20 do table.remove(values, 1) end -- loading, connecting
  return summary(values)
end

local function reload(cluster, prefix, count)
  local child = assert(process.spawn { file = "luajit", args = {
    "spec/support/reload_host.lua", prefix, table.concat(cluster.urls, ","), cluster.token, tostring(count),
  } })
  local left = {}
  for fds, rss in (child:read_all(600) or ""):gmatch "left%s+(%d+)%s+(%d+)" do left[#left + 1] = { fds = fds, rss = rss } end
  child:wait(60)
  child:close()
  assert(#left > 1, "the reloads failed (the first 25 are not counted: --reloads is at least twice that)")
  local first, last = left[1], left[#left]
  return { reloads = count, descriptors_more = last.fds - first.fds, resident_kb_more = last.rss - first.rss }
end

local function rows_of(title, list)
  local rows = { { title, "budget", "steps", "p50", "p99", "p99.9", "max", "over", "KB" } }
  for _, d in ipairs(list) do
    for _, name in ipairs { "worked", "clock" } do
      local s = d[name]
      rows[#rows + 1] = {
        name == "worked" and "own work" or "by the clock", d.budget and ("%d us"):format(d.budget) or "", tostring(s.steps), ("%.0f"):format(s.p50),
        ("%.0f"):format(s.p99), ("%.0f"):format(s.p999), ("%.0f"):format(s.max), s.over and tostring(s.over) or "",
        name == "worked" and d.garbage_kb_per_step and ("%.1f"):format(d.garbage_kb_per_step) or "",
      }
    end
  end
  return rows
end

local function print_rows(rows) io.write(text_table.format(rows, { heading = true, indent = "  " }), "\n") end

local options = read_options(USAGE, { seconds = 10, reloads = 1000 })
local cluster = assert(sim.start { event_queue = 0 })
local result = { alone = alone(options.seconds), flow = {}, burst = {} }
flow(cluster, 500, 2, new_times()) -- LuaJIT compiles
for _, budget in ipairs(BUDGETS) do
  local times = new_times()
  flow(cluster, budget, options.seconds, times)
  table.insert(result.flow, describe(times, budget))
  times = new_times()
  for _ = 1, 5 do burst(cluster, budget, times) end
  table.insert(result.burst, describe(times, budget))
end
print_rows(rows_of("alone", { result.alone }))
print_rows(rows_of("flow", result.flow))
print_rows(rows_of("burst", result.burst))

local prefix = os.tmpname()
os.remove(prefix)
assert(os.execute(("cmake --install %s --prefix %s >/dev/null"):format(process.wingman_path():match "^(.*)/", prefix)) == 0)
local empty = prefix .. "/empty.lua"
local file = assert(io.open(empty, "w"))
file:write "return { tick = function() end, stop = function() end }"
file:close()
result.frames = { without = frames(cluster, prefix, empty), with = frames(cluster, prefix, "scripts/plugins/tick_plugin.lua") }
local rows = { { "frames of tick_host, us", "p50", "p99", "max" } }
for _, name in ipairs { "without", "with" } do
  local s = result.frames[name]
  rows[#rows + 1] = { name .. " the plugin", ("%.0f"):format(s.p50), ("%.0f"):format(s.p99), ("%.0f"):format(s.max) }
end
print_rows(rows)
result.ratios = { frame_p50_with_plugin = result.frames.with.p50 / result.frames.without.p50,
  frame_p99_with_plugin = result.frames.with.p99 / result.frames.without.p99 }
result.reload = reload(cluster, prefix, options.reloads)
io.write(("  %d reloads: %d descriptors more, %d KiB more\n"):format(options.reloads, result.reload.descriptors_more,
  result.reload.resident_kb_more))
os.execute("rm -rf " .. prefix)
cluster:stop()
if options.json then io.write(cjson.encode(result), "\n") end
