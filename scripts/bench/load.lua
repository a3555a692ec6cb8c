--- What a load generator costs: CPU time per acknowledged operation, Wingman's engine
--- against the best plain JavaScript, on the same simulated cluster in one run.
local directory = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = directory .. "/?.lua;" .. package.path

local cjson = require "cjson"
local compile = require "compile"
local read_cpu = require "cpu_seconds"
local median = require "median"
local read_options = require "options"
local peer_packages = require "peer_packages"
local loop = require "wingman.loop"
local process = require "wingman.loop.process"
local sim = require "wingman.sim"
local text_table = require "wingman.text.table"

local USAGE = [[
usage: wingman run scripts/bench/load.lua [--rounds N] [--json]

Three generators write as fast as they can to a simulated cluster of one node that parses
and acknowledges and stores nothing (sink), by one connection, in batches of 10 and of
100, up to 64 of them in flight. Values are objects that are filled again and again:

  wingman  a scenario of the load engine with one user: keys by a chooser, operations in
           the op log and the local copy, latencies recorded
  node     the best plain JavaScript, with the npm packages ws and msgpackr, installed into
           build/bench-peer when missing
  c        frames that were encoded before the clock ran, sent from C

Rounds alternate, the medians count. "less CPU" is how many times less CPU time wingman
takes than node for each acknowledged operation, "of c" is its rate as a share of c's. The
limit of a line is the side that used more of its processor. Needs cc, node and npm.

  --rounds N  rounds (default 3)
  --json      one JSON object as the last line, ratios under "ratios"
]]

local IN_FLIGHT = 64
local OPERATIONS = { [10] = 1000000, [100] = 3000000 }

local options = read_options(USAGE, { rounds = 3 })
local work = assert(peer_packages.install(directory))
local generator = assert(compile(directory, "peer/load", {}))

local function run_generator(file, args, input)
  local child = assert(process.spawn { file = file, args = args, stdin = true, stderr = true, env = { NODE_PATH = work .. "/node_modules" } })
  if input then child:write(input) end
  child:close_stdin()
  local line = child:read_line(300)
  local err = child:read_all(10, "stderr")
  child:wait(10)
  child:close()
  return assert(line and cjson.decode(line), file .. " failed: " .. tostring(err))
end

local function ours(cluster, batch, operations)
  return run_generator(process.wingman_path(), { "run", directory .. "/load_generator.lua" }, cjson.encode {
    url = cluster.urls[1], token = cluster.token, batch = batch, operations = operations, in_flight = IN_FLIGHT,
  })
end

local function in_javascript(cluster, batch, operations)
  local url = cluster.urls[1]
  return run_generator("node", { directory .. "/peer/load.js" }, cjson.encode {
    url = url .. (url:match "/ws$" and "" or "/ws"), token = cluster.token, batch = batch, operations = operations,
  })
end

local function in_c(cluster, batch, operations)
  return run_generator(generator, { cluster.urls[1]:match ":(%d+)", cluster.token, ("%d"):format(batch), ("%d"):format(operations) })
end

local GENERATORS = { { "wingman", ours }, { "node", in_javascript }, { "c", in_c } }

-- One run against a cluster of its own: nanoseconds of CPU an operation, operations a
-- second, and how much of a processor each side used.
local function run_once(fn, name, batch)
  local operations = OPERATIONS[batch]
  local cluster = assert(sim.start { nodes = 1, sink = true })
  local before = read_cpu(cluster.process.pid)
  local result = fn(cluster, batch, operations)
  local cluster_cpu = read_cpu(cluster.process.pid) - before
  local received = 0
  for _, node in pairs(assert(cluster:stats())) do received = received + node.ops end
  cluster:stop()
  assert(result.acked == operations and received == operations and (result.unacknowledged or 0) == 0,
    ("%s: %d acknowledged, %d received, %d wanted"):format(name, result.acked, received, operations))
  return {
    cpu_ns = result.cpu_seconds / operations * 1e9, rate = operations / result.seconds,
    own_share = result.cpu_seconds / result.seconds, cluster_share = cluster_cpu / result.seconds,
  }
end

local function measure(batch)
  local values, medians = {}, {}
  for _ = 1, options.rounds do
    for _, generator_of in ipairs(GENERATORS) do
      local name = generator_of[1]
      values[name] = values[name] or { cpu_ns = {}, rate = {}, own_share = {}, cluster_share = {} }
      for key, value in pairs(run_once(generator_of[2], name, batch)) do table.insert(values[name][key], value) end
    end
  end
  for name, columns in pairs(values) do
    medians[name] = {}
    for key, list in pairs(columns) do medians[name][key] = median(list) end
    medians[name].limit = medians[name].own_share > medians[name].cluster_share and "generator" or "cluster"
  end
  return medians
end

return loop.run(function()
  local rows = { { "batches of", "generator", "CPU per op", "ops/s", "own CPU", "cluster's", "limit", "less CPU", "of c" } }
  local result = { rounds = options.rounds, batches = {}, ratios = {} }
  for _, batch in ipairs { 10, 100 } do
    local medians = measure(batch)
    local less, share = medians.node.cpu_ns / medians.wingman.cpu_ns, medians.wingman.rate / medians.c.rate
    result.batches[tostring(batch)] = medians
    result.ratios["cpu_b" .. batch], result.ratios["rate_of_c_b" .. batch] = less, share
    for _, generator_of in ipairs(GENERATORS) do
      local name = generator_of[1]
      local m, is_ours = medians[name], name == "wingman"
      rows[#rows + 1] = { is_ours and batch or "", name, ("%.0f ns"):format(m.cpu_ns), m.rate, ("%.0f %%"):format(m.own_share * 100),
        ("%.0f %%"):format(m.cluster_share * 100), m.limit, is_ours and ("%.2f"):format(less) or "",
        is_ours and ("%.0f %%"):format(share * 100) or "" }
    end
  end
  io.write(text_table.format(rows, { heading = true, indent = "  " }))
  if options.json then io.write(cjson.encode(result), "\n") end
  return 0
end)
