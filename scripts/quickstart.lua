--- The main job: imports real records into a three-node cluster while one of its
--- nodes dies and comes back, and reads every record back.
---
--- usage: wingman run scripts/quickstart.lua [--cluster URL] [--data FILE] [--rate N] [--json]
local wingman = require "wingman"

local directory = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = directory .. "/?.lua;" .. package.path

local cjson = require "cjson"
local cluster_url = require "wingman.client.options.cluster_url"
local command_line = require "wingman.options.arguments"
local connection_options = require "wingman.client.options.connection"
local core = require "wingman.core"
local interrupt = require "wingman.interrupt"
local loop = require "wingman.loop"
local records_module = require "quickstart.records"
local text_table = require "wingman.text.table"
local usage = require "wingman.options.usage"
local verify = require "quickstart.verify"

local USAGE = [[
usage: wingman run scripts/quickstart.lua [OPTIONS]

Imports the records of a JSON file into the map "languages" of a cluster, kills one node
half-way, restarts it, reads every record back and reports which were verified.

  --cluster URL  sim://N (simulated), topgun://N (the real server), or the seeds of a
                 running cluster: ws://host:port,ws://host:port  (default: the variable
                 WINGMAN_CLUSTER, or sim://3; a cluster that this script did not
                 start loses no node)
  --data FILE    a JSON array or object (default: the ISO 639-3 languages)
  --rate N       records per second, slow enough for the kill to fall into the import
                 (default 4000)
  --json         print one JSON object

For a running cluster:

]] .. connection_options.USAGE .. [[

exit codes: 0 all records verified, 1 records missing or wrong, or the import failed,
2 usage error or no data
]]

local MAP = "languages"
--- Seconds: for a node's partitions to be taken over, for the last acknowledgement,
--- for the restarted node to be back.
local FAILOVER_TIMEOUT, DRAIN_TIMEOUT, RETURN_TIMEOUT = 3, 30, 15

local RULES = {
  cluster = { type = "string", default = os.getenv "WINGMAN_CLUSTER" or "sim://3" },
  data = { type = "string", default = records_module.DEFAULT },
  rate = { type = "number", default = 4000, min = 1e-3, expected = "a number of records a second" }, json = { type = "boolean" },
}

local function fail(code, message)
  -- A signal closes the clients, and then what failed is no news.
  if not interrupt.is_ending() then io.stderr:write("quickstart: ", message, "\n") end
  os.exit(code, true)
end

local function check(options)
  local ok, wrong = cluster_url.check(options.cluster)
  return ok, not ok and "--cluster: " .. wrong or nil
end

local options = usage.read_script(command_line.all(RULES, connection_options.RULES), USAGE, check)
connection_options.choose(options)
local function say(format, ...)
  if options.json then return end
  io.write(format:format(...))
  io.flush()
end

-- That writes wait while their node is dead is the point of the show.
local function log(level, event, fields)
  if (level ~= "warn" and level ~= "error") or event == "send_batch_failed" then return end
  io.stderr:write("quickstart: ", event, " ", cjson.encode(fields), "\n")
end

local function client_of() return wingman.client { cluster = options.cluster, log_to = log } end

-- The death of a node -------------------------------------------------------------

-- Kills the last node and, once another one has taken over (or nobody does), starts
-- it again. What it saw is in the table that it returns, when `done`.
local function kill_and_restart(client)
  local cluster = client:cluster()
  local victim = cluster.nodes[#cluster.nodes].id
  local death = { node = victim, killed_at = core.now(), done = false }
  local taken_over = loop.future()
  local function on_resumed(event)
    if event.node ~= victim and not taken_over.done then
      death.new_owner = event.node
      taken_over:resolve(core.now())
    end
  end
  client:on("resumed", on_resumed)
  loop.spawn(function()
    death.killed_at = core.now()
    assert(cluster:kill(victim))
    local taken = taken_over:wait(FAILOVER_TIMEOUT)
    death.failover = taken and taken - death.killed_at
    say("  %-10s %s killed; %s\n", "", victim, taken
      and ("%s answers for its keys after %s"):format(death.new_owner, text_table.duration(death.failover))
      or ("nobody took its keys over in %d s, they wait for it"):format(FAILOVER_TIMEOUT))
    assert(cluster:restart(victim))
    local restarted = core.now()
    local back = loop.wait_until(function()
      for _, id in ipairs(client:connected_nodes()) do
        if id == victim then return true end
      end
    end, RETURN_TIMEOUT)
    death.returned = back and core.now() - restarted
    say("  %-10s %s restarted%s\n", "", victim, back
      and (", connected again after %s"):format(text_table.duration(death.returned)) or "; not connected again yet")
    death.done = true
    client:off("resumed", on_resumed)
  end)
  return death
end

-- The import ------------------------------------------------------------------------

-- Writes at the given rate, a few records each tick.
local function import(client, records)
  local map = client:map(MAP)
  local start, death = core.now(), nil
  local half = math.ceil(#records / 2)
  local i = 0
  while i < #records do
    local due = math.min(#records, math.floor((core.now() - start) * options.rate) + 1)
    while i < due do
      i = i + 1
      assert(map:set(records[i].key, records[i].value))
      if i == half and client:cluster() then death = kill_and_restart(client) end
    end
    wingman.sleep(0.001)
  end
  return core.now() - start, death
end

-- Servers keep nothing of a node that died; the client has its own writes still.
local function repair(client, death)
  local count, err = client:repair(MAP)
  if not count then fail(1, "repair: " .. tostring(err)) end
  say("  %-10s %s sent again that the owner did not have after the death of %s\n", "repair",
    count == 1 and "1 record" or text_table.count(count) .. " records", death.node)
  local drained, drain_err = client:drain(DRAIN_TIMEOUT)
  if not drained then fail(1, tostring(drain_err)) end
  return count
end

-- What happened when, in seconds from the kill.
local function timeline(client, death)
  for _, loss in ipairs(client:failovers()) do
    if loss.node == death.node and loss.detected_at >= death.killed_at then
      local noticed = loss.detected_at - death.killed_at
      local times = { noticed = noticed }
      for _, name in ipairs { "map_asked", "map_received", "rerouted", "first_ack", "drained" } do
        times[name] = loss[name] and noticed + loss[name]
      end
      return times
    end
  end
end

local function summary(client, records, took, death, repaired, back)
  local stats, routing = client:stats(), client:routing_metrics()
  return {
    cluster = options.cluster, dialect = client:dialect(), data = options.data,
    written = #records, sent_again = repaired, acknowledged = stats.ops_acked - stats.ops_repeated - repaired, import_seconds = took,
    nodes = back.nodes, killed = death and death.node, failover_seconds = death and death.failover,
    failover = death and timeline(client, death),
    routing = routing, batch_sizes = stats.batch_sizes, ack_latency = stats.ack_latency,
    verified = back.verified, missing = #back.missing, wrong = #back.wrong,
  }
end

local function print_timeline(times)
  local heading, row = { "noticed", "map asked", "map received", "rerouted", "first ack", "drained" }, {}
  for i, name in ipairs { "noticed", "map_asked", "map_received", "rerouted", "first_ack", "drained" } do
    row[i] = times[name] and text_table.duration(times[name]) or "-"
  end
  say("%s", text_table.format({ heading, row }, { heading = true, indent = "  " }))
end

local function print_summary(s, back)
  local count, duration = text_table.count, text_table.duration
  say("\nWhere the records are\n\n")
  local rows = { { "node", "partitions", "keys by the map", "held", "of these its own" } }
  for _, node in ipairs(s.nodes) do rows[#rows + 1] = { node.id, node.owned, node.keys, node.held, node.at_owner } end
  say("%s", text_table.format(rows, { heading = true, indent = "  " }))
  say("\nHow they got there\n\n")
  local r, b, l = s.routing, s.batch_sizes, s.ack_latency
  rows = {
    { "routing", ("%s direct, %s fallback, %s without a map"):format(count(r.direct_routes), count(r.fallback_routes), count(r.partition_misses)) },
    { "batches", ("%s, of %.0f operations on average, the largest of %s"):format(count(b.count), b.mean, count(b.max)) },
    { "latency", ("p50 %s, p99 %s, max %s from set to acknowledgement"):format(duration(l.p50), duration(l.p99), duration(l.max)) },
  }
  say("%s", text_table.format(rows, { indent = "  " }))
  if s.failover then
    say("\nFrom the death of %s to the last write that had to wait for it\n\n", s.killed)
    print_timeline(s.failover)
  end
  say("\n%s written, %s acknowledged: %s verified, %s missing, %s wrong\n", count(s.written), count(s.acknowledged),
    count(s.verified), count(s.missing), count(s.wrong))
  for _, problem in ipairs { { "missing", back.missing }, { "wrong", back.wrong } } do
    local name, keys = problem[1], problem[2]
    if #keys > 0 then
      say("  %s: %s%s\n", name, table.concat(keys, " ", 1, math.min(10, #keys)), #keys > 10 and " …" or "")
    end
  end
end

local function main()
  local records, err = records_module.read(options.data)
  if not records then fail(2, err .. (options.data == records_module.DEFAULT and " (Debian package iso-codes)" or "")) end
  local client = client_of()
  local begun = core.now()
  local ok, start_err = client:start()
  if not ok then fail(1, tostring(start_err)) end
  local map, router = client:partition_map(), client:router_stats()
  say("  %-10s %s: %d node%s of the %s family, %d partitions, hash %s, ready after %s\n", "cluster", options.cluster,
    #client:connected_nodes(), #client:connected_nodes() == 1 and "" or "s", client:dialect(),
    map and map.partition_count or 0, router.hash, text_table.duration(core.now() - begun))
  say("  %-10s %s records of %s into the map \"%s\"\n", "import", text_table.count(#records),
    options.data:match "[^/]*$", MAP)

  local took, death = import(client, records)
  local drained, drain_err = client:drain(DRAIN_TIMEOUT)
  if not drained then fail(1, tostring(drain_err)) end
  local repaired = 0
  if death then
    loop.wait_until(function() return death.done end)
    repaired = repair(client, death)
  end
  local back, back_err = verify.read_back(client, MAP, records)
  if not back then fail(1, "reading back: " .. tostring(back_err)) end

  local s = summary(client, records, took, death, repaired, back)
  s.total_seconds = core.now() - begun
  client:close()
  if options.json then print(cjson.encode(s)) else print_summary(s, back) end
  return s.missing == 0 and s.wrong == 0 and s.acknowledged >= s.written and 0 or 1
end

return wingman.run(main)
