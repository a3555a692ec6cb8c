--- What a replica costs: the snapshot, catching up, a burst; and what a host with small ticks gets of it.
local directory = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = directory .. "/?.lua;" .. package.path

local cjson = require "cjson"
local cluster_url = require "wingman.client.options.cluster_url"
local core = require "wingman.core"
local ffi = require "ffi"
local loop = require "wingman.loop"
local median = require "median"
local read_options = require "options"
local testbed = require "wingman.testbed"
local text_table = require "wingman.text.table"
local wingman = require "wingman"

local USAGE = [[
usage: wingman run scripts/bench/replica.lua [--rounds N] [--records N] [--changes N] [--burst N] [--cluster URL] [--json]

Two clients of one cluster in one thread: one writes, the other has a replica.

  snapshot  from map:replicate() to a copy that is equal to each node
  holdings  the same records by client:holdings of each node, in the same run: a walk in Lua without a copy
  catch-up  from the connection of the last node that was away to a copy that is equal again, after changes
            by the writer meanwhile; the replica's connections were closed for a second
  read      map:read of one key, the median
  burst     new keys as fast as they are acknowledged, with a watch: what is missing 10 s after the last
            acknowledgement, what the nodes did not announce, and when nothing was missing any more
  host      a client that steps 200 us at 20 Hz while 50 keys are written at 20 Hz by another process

  --rounds N     snapshots, catch-ups (default 3)
  --records N    records of the map (default 100000)
  --changes N    changes while away (default 1000)
  --burst N      keys of the burst (default 20000)
  --cluster URL  sim://N or topgun://N (default sim://3)
  --json         one JSON object as the last line
]]

ffi.cdef "int usleep(unsigned int us);"

local PATIENCE = 120

local function check_cluster(url)
  local has_cluster, wrong = cluster_url.check_embedded(url)
  if has_cluster then return end
  io.stderr:write("replica: --cluster: ", wrong, "\n")
  os.exit(2, true)
end

local function client_of(cluster, options)
  options = options or {}
  options.cluster, options.auth = { seeds = cluster.urls }, { token = cluster.token }
  options.log_to = function() end
  local client = wingman.client(options)
  assert(client:start())
  loop.wait_until(function() return #client:connected_nodes() == #cluster.urls end, PATIENCE)
  return client
end

local function write(client, map, from, to, value_of)
  for i = from, to do
    assert(map:set("key-" .. i, value_of(i)))
    if i % 2000 == 0 then assert(client:drain(PATIENCE)) end
  end
  assert(client:drain(PATIENCE))
end

local parts = {}

function parts.snapshot(bench)
  local client = client_of(bench.cluster)
  local map = client:map "bench"
  local began, cpu = loop.now(), core.thread_cpu_seconds()
  assert(map:synced(PATIENCE))
  local seconds, used = loop.now() - began, core.thread_cpu_seconds() - cpu
  assert(map:size() == bench.records, map:size())
  local requests = map:replicate():status().requests
  client:close()
  return { seconds = seconds, cpu_seconds = used, requests = requests }
end

function parts.holdings(bench)
  local client, count = client_of(bench.cluster), 0
  local began, cpu = loop.now(), core.thread_cpu_seconds()
  for _, node in ipairs(client:health().nodes) do
    for _ in pairs(assert(client:holdings(node.id, "bench", { timeout = PATIENCE }))) do count = count + 1 end
  end
  local result = { seconds = loop.now() - began, cpu_seconds = core.thread_cpu_seconds() - cpu }
  assert(count >= bench.records, count)
  client:close()
  return result
end

-- Ends the replica's connections as if the network had; they come again after a second.
local function cut(client)
  for _, listener in pairs(client.listeners.by_node) do
    local connection = listener.connection_ids[1]
    client.core:disconnect(connection, 1000)
    client.listeners.connections:handle("lost", connection, "lost", 0, true, "cut by the benchmark")
  end
end

function parts.catch_up(bench)
  local client = client_of(bench.cluster, { reconnect = function() return 1 end })
  local map = client:map "bench"
  assert(map:synced(PATIENCE))
  local copy, began, seconds = map:replicate(), nil, nil
  copy:on("state", function(to)
    if to == "catching_up" then began = loop.now() end
    if to == "live" and began then seconds = loop.now() - began end
  end)
  local requests = copy:status().requests
  cut(client)
  loop.wait_until(function() return copy:status().state ~= "live" end, PATIENCE)
  bench.round = bench.round + 1
  write(bench.writer, bench.map, 1, bench.changes, function(i) return { n = i, round = bench.round, text = "changed" } end)
  assert(loop.wait_until(function() return seconds end, PATIENCE), "it did not catch up")
  local missing = 0
  for i = 1, bench.changes do
    if map:get("key-" .. i).round ~= bench.round then missing = missing + 1 end
  end
  local result = { seconds = seconds, requests = copy:status().requests - requests, missing = missing }
  client:close()
  return result
end

function parts.read(bench)
  local client, times = client_of(bench.cluster), {}
  for i = 1, 1000 do
    local began = loop.now()
    assert(client:map "bench":read("key-" .. (i * 37) % bench.records + 1))
    times[i] = loop.now() - began
  end
  client:close()
  return { seconds = median(times) }
end

function parts.burst(bench)
  local client, told, count = client_of(bench.cluster), {}, 0
  local map = client:map "burst"
  assert(map:synced(PATIENCE))
  map:watch(nil, function(key)
    if not told[key] then told[key], count = true, count + 1 end
  end)
  local written = bench.writer:map "burst"
  for i = 1, bench.burst do assert(written:set("new-" .. i, { n = i })) end
  assert(bench.writer:drain(PATIENCE))
  local acked = loop.now()
  loop.wait_until(function() return count == bench.burst end, 10)
  local result = { seconds = loop.now() - acked, missing = bench.burst - count, not_announced = map:replicate():status().dropped or 0 }
  client:close()
  return result
end

-- A tick of a host with little time; how long it was, by the clock.
local function tick(client, budget)
  local began = core.now()
  client:step(budget)
  local seconds = core.now() - began
  ffi.C.usleep(math.max(0, 0.05 - seconds) * 1e6)
  return seconds
end

function parts.host(bench)
  local process = require "wingman.loop.process"
  local client, calls, lags = client_of(bench.cluster), 0, {}
  local map = client:map "players"
  local wall = core.wall_ms
  assert(map:synced(PATIENCE))
  map:watch(nil, function(_, value)
    calls = calls + 1
    lags[#lags + 1] = math.max(0, wall() - value.at) / 1000
  end)
  local child = assert(process.spawn { file = process.wingman_path(), stderr = true,
    args = { "run", directory .. "/players.lua", table.concat(bench.cluster.urls, ","), bench.cluster.token, "players" } })
  assert(child:read_line(PATIENCE))
  local unread, behind, longest, ticks = 0, 0, 0, 200
  for _ = 1, ticks do
    longest = math.max(longest, tick(client, bench.budget))
    local status = map:replicate():status()
    unread, behind = math.max(unread, status.unread), math.max(behind, status.behind)
  end
  local result = { calls_a_second = calls / ticks * 20, lag_p50_s = median(lags) or 0, lag_max_s = lags[#lags] or 0, unread_bytes = unread, behind_keys = behind,
    longest_step_s = longest, events_a_second = map:replicate():status().events / ticks * 20 }
  child:kill "SIGKILL"
  child:wait(PATIENCE)
  child:close()
  client:close()
  return result
end

local function repeated(bench, name, rounds)
  local all, result = {}, {}
  for i = 1, rounds do all[i] = parts[name](bench) end
  for field in pairs(all[1]) do
    local values = {}
    for i = 1, rounds do values[i] = all[i][field] end
    result[field] = median(values)
  end
  return result
end

local function show(result)
  local rows = { { "", "time", "" } }
  local function add(name, seconds, format, ...) rows[#rows + 1] = { name, ("%.0f ms"):format(seconds * 1e3), format:format(...) } end
  add("snapshot", result.snapshot.seconds, "%d questions, %.0f ms of CPU time, %.2f of holdings", result.snapshot.requests, result.snapshot.cpu_seconds * 1e3,
    result.snapshot.seconds / result.holdings.seconds)
  add("holdings", result.holdings.seconds, "%.0f ms of CPU time", result.holdings.cpu_seconds * 1e3)
  add("catch-up", result.catch_up.seconds, "%d questions, %d missing", result.catch_up.requests, result.catch_up.missing)
  rows[#rows + 1] = { "read", ("%.2f ms"):format(result.read.seconds * 1e3), "" }
  add("burst", result.burst.seconds, "%d missing, %d not announced", result.burst.missing, result.burst.not_announced)
  add("host: lag", result.host.lag_p50_s, "median; at most %.0f ms; %.0f calls and %.0f events a second, at most %d bytes unread and %d keys behind, longest step %.0f us",
    result.host.lag_max_s * 1e3, result.host.calls_a_second, result.host.events_a_second, result.host.unread_bytes, result.host.behind_keys, result.host.longest_step_s * 1e6)
  io.write(text_table.format(rows, { heading = true, indent = "  " }))
end

wingman.run(function()
  local options = read_options(USAGE, { rounds = 3, records = 100000, changes = 1000, burst = 20000, cluster = "sim://3" })
  check_cluster(options.cluster)
  local cluster = assert(testbed.start(options.cluster))
  local bench = { cluster = cluster, records = options.records, changes = options.changes, burst = options.burst, budget = 200, round = 0 }
  bench.writer = client_of(cluster)
  bench.map = bench.writer:map "bench"
  write(bench.writer, bench.map, 1, bench.records, function(i) return { n = i, round = 0, text = "a text of some length" } end)
  local result = { cluster = options.cluster, records = options.records }
  for _, name in ipairs { "snapshot", "holdings", "catch_up" } do result[name] = repeated(bench, name, options.rounds) end
  for _, name in ipairs { "read", "burst", "host" } do result[name] = parts[name](bench) end
  show(result)
  if options.json then io.write(cjson.encode(result), "\n") end
  bench.writer:close()
  cluster:stop()
end)
