--- What a load generator costs: CPU time per acknowledged operation, Wingman's engine
--- against the best plain JavaScript, on the same simulated cluster in one run.
local core = require "wingman.core"
local cjson = require "cjson"
local load = require "wingman.load"
local loop = require "wingman.loop"
local process = require "wingman.process"
local run_module = require "wingman.load.run"
local sim = require "wingman.sim"
local text_table = require "wingman.text_table"

local USAGE = [[
usage: wingman run scripts/bench/load.lua [--rounds N] [--json]

Both sides write as fast as they can to a simulated cluster of one node that parses and
acknowledges and stores nothing (sink), by one connection, in batches of 10 and of 100:
Wingman by a scenario of the load engine with one user (keys by a chooser, operations in
the op log and the local copy, latencies recorded), the peer by node with the npm packages
ws and msgpackr, up to 64 batches in flight. Rounds alternate; the medians count.
Needs node and the packages that scripts/bench/hot_path.lua installs into build/bench-peer.

  --rounds N  rounds (default 3)
  --json      one JSON object as the last line
]]

local directory = arg[0]:match "^(.*)/[^/]*$" or "."
local work = directory .. "/../../build/bench-peer"
local OPERATIONS = { [10] = 300000, [100] = 1000000 }

local rounds, json = 3, false
do
  local i = 1
  while arg[i] do
    if arg[i] == "--rounds" and tonumber(arg[i + 1]) then
      i = i + 1
      rounds = tonumber(arg[i])
    elseif arg[i] == "--json" then json = true
    else
      io.stderr:write(USAGE)
      os.exit(arg[i] == "--help" and 0 or 2)
    end
    i = i + 1
  end
end

local function ours(cluster, batch, operations)
  local test = load.test {
    server = cluster.urls[1], auth = { token = cluster.token },
    client = { batch = { ops = batch, in_flight = 64 }, oplog = { max_ops = 20000 } },
    scenarios = {
      writes = {
        executor = "shared-iterations", iterations = operations, keys = { count = 10000, distribution = "sequential" },
        exec = function(vu) assert(vu:map "bench":set(vu:key(), { v = vu.iteration })) end,
      },
    },
  }
  local run = run_module.new(test.options, {})
  local began, used
  run.listener.ready = function() began, used = loop.now(), core.cpu_seconds() end
  assert(run:execute(), run.reason)
  local result = { seconds = loop.now() - began, cpu_seconds = core.cpu_seconds() - used, acked = 0 }
  for _, metric in ipairs(run.registry.list) do
    if metric.name == "ops_acked" and next(metric.tags) == nil then result.acked = metric.count end
  end
  result.lost = run.ops_lost
  run:close()
  return result
end

local function peers(cluster, batch, operations)
  local child = assert(process.spawn {
    file = "node", args = { directory .. "/peer/load.js" }, stdin = true, stderr = true, env = { NODE_PATH = work .. "/node_modules" },
  })
  child:write(cjson.encode { url = cluster.urls[1] .. (cluster.urls[1]:match "/ws$" and "" or "/ws"), token = cluster.token, batch = batch, operations = operations })
  child:close_stdin()
  local line = child:read_line(300)
  local err = child:read_all(10, "stderr")
  child:wait(10)
  child:close()
  return assert(line and cjson.decode(line), "the peer failed: " .. tostring(err))
end

local function median(list)
  table.sort(list)
  return list[math.ceil(#list / 2)]
end

local function measure(batch)
  local operations = OPERATIONS[batch]
  local cpu, rate = { ours = {}, peer = {} }, { ours = {}, peer = {} }
  for _ = 1, rounds do
    for side, fn in pairs { ours = ours, peer = peers } do
      local cluster = assert(sim.start { nodes = 1, sink = true })
      local result = fn(cluster, batch, operations)
      local received = 0
      for _, node in pairs(assert(cluster:stats())) do received = received + node.ops end
      cluster:stop()
      assert(result.acked == operations and received == operations,
        ("%s: %d acknowledged, %d received, %d wanted"):format(side, result.acked, received, operations))
      table.insert(cpu[side], result.cpu_seconds / operations * 1e9)
      table.insert(rate[side], operations / result.seconds)
    end
  end
  return { batch = batch, ours_ns = median(cpu.ours), peer_ns = median(cpu.peer), ours_rate = median(rate.ours), peer_rate = median(rate.peer) }
end

return loop.run(function()
  local rows = { { "batches of", "CPU per op", "peer", "times less", "ops/s", "peer" } }
  local result = {}
  for i, batch in ipairs { 10, 100 } do
    local one = measure(batch)
    one.ratio = one.peer_ns / one.ours_ns
    result[i] = one
    rows[#rows + 1] = { batch, ("%.0f ns"):format(one.ours_ns), ("%.0f ns"):format(one.peer_ns), ("%.2f"):format(one.ratio),
      one.ours_rate, one.peer_rate }
  end
  io.write(text_table.format(rows, { heading = true, indent = "  " }))
  if json then io.write(cjson.encode(result), "\n") end
  return 0
end)
