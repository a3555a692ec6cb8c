--- How long the writes of a node's partitions stand still when the node is killed.
local directory = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = directory .. "/?.lua;" .. package.path

local cjson = require "cjson"
local cluster_url = require "wingman.client.options.cluster_url"
local median = require "median"
local read_options = require "options"
local wingman = require "wingman"
local loop = require "wingman.loop"
local text_table = require "wingman.text.table"

local USAGE = [[
usage: wingman run scripts/bench/failover.lua [OPTIONS]

Measures failover: writes at a steady rate, kills a node, and takes the time from the kill
to the first acknowledged write of its partitions. Then it verifies that every key has its
last value at its owner, restarts the node, and repeats. Two ways:

  pushed  the other nodes push the new partition map
  asked   the client has to request it (simulated cluster only)

  --cluster URL     sim://3 (default: WINGMAN_CLUSTER) or topgun://3, whose nodes are processes and are
                    killed with SIGKILL, in a fresh cluster for each run; nodes of
                    sim:// are parts of one process, which resets their connections
  --runs N          runs of each way (default 20)
  --rate N          writes per second (default 20000)
  --detection-ms N  time that the simulated nodes take to detect a killed node (default 50);
                    they push the new map up to about 20 ms later
  --json            print one JSON object as the last line, with every run; "ratios": how
                    many times below its limit each median is

exit codes: 0 every write was acknowledged, every key's last value was verified at its owner,
and both medians are below their limits (150 ms; and the client's debounce of 500 ms plus
200 ms), 1 otherwise, 2 usage error
]]

local KEYS = 5000
--- Seconds of writing before the kill and after the failover.
local BEFORE, AFTER = 0.3, 0.5
--- Seconds that a failover, the last acknowledgement and the node's return may take.
local FAILOVER_TIMEOUT, DRAIN_TIMEOUT, RETURN_TIMEOUT = 20, 30, 30
local DEBOUNCE, READ_TRIES = 0.5, 5
local BARS = { pushed = 0.15, asked = DEBOUNCE + 0.2 }
local PHASES = { "noticed", "map_asked", "map_received", "rerouted", "first_ack", "drained" }

local options = read_options(USAGE, { cluster = os.getenv "WINGMAN_CLUSTER" or "sim://3", runs = 20, rate = 20000, ["detection-ms"] = 50 })
local has_cluster, wrong = cluster_url.check_embedded(options.cluster)
if not has_cluster then
  io.stderr:write("failover: --cluster: ", wrong, "\n")
  os.exit(2, true)
end
local is_sim = options.cluster:match "^sim://" ~= nil
local function say(format, ...)
  io.write(format:format(...))
  io.flush()
end

local keys = {}
for i = 1, KEYS do keys[i] = ("player:%05d"):format(i) end

-- Writes at the rate until `stop` is called; every key in turn.
local function start_writing(map, last)
  local writer = { count = 0 }
  local began = loop.now()
  writer.task = loop.spawn(function()
    while not writer.stopped do
      local due = math.floor((loop.now() - began) * options.rate)
      while writer.count < due do
        writer.count = writer.count + 1
        local at = writer.count % KEYS + 1
        last.number = last.number + 1
        last[at] = last.number
        assert(map:set(keys[at], { n = last.number }))
      end
      loop.sleep(0.001)
    end
  end)
  function writer.stop()
    writer.stopped = true
    writer.task:wait()
    writer.rate = writer.count / (loop.now() - began)
  end
  return writer
end

-- A real server that has just been busy may need more than one question.
local function holdings_of(client, id, name)
  local records, err
  for _ = 1, READ_TRIES do
    records, err = client:holdings(id, name)
    if records then return records end
  end
  error(tostring(err), 0)
end

-- Keys whose last value is not at their owner.
local function count_missing(client, map, last)
  local missing, holdings = 0, {}
  local owners = client:partition_map().owners
  for _, id in ipairs(client:connected_nodes()) do holdings[id] = holdings_of(client, id, map.name) end
  for i, key in ipairs(keys) do
    local held = holdings[owners[client:partition_of(key) + 1]]
    local record = held and held[key]
    if not (record and type(record.value) == "table" and record.value.n == last[i]) then missing = missing + 1 end
  end
  return missing
end

local function await(what, seconds, condition)
  return assert(loop.wait_until(condition, seconds), ("%s took more than %d s"):format(what, seconds))
end

local function owns_partitions(client, id)
  for _, owner in ipairs(client:partition_map().owners) do
    if owner == id then return true end
  end
end

local function bring_back(client, id)
  assert(client:cluster():restart(id))
  await("the return of " .. id, RETURN_TIMEOUT, function()
    return #client:connected_nodes() == #client:cluster().nodes and owns_partitions(client, id)
  end)
end

-- One death. The phases are seconds from the kill.
local function run(client, map, last)
  local nodes = client:cluster().nodes
  local victim = nodes[#nodes].id
  local before, losses = client:stats(), #client:failovers()
  local writer = start_writing(map, last)
  loop.sleep(BEFORE)
  local killed = loop.now()
  assert(client:cluster():kill(victim))
  local loss = await("the failover", FAILOVER_TIMEOUT, function()
    local list = client:failovers()
    return #list > losses and list[#list].drained and list[#list]
  end)
  loop.sleep(AFTER)
  writer.stop()
  assert(client:drain(DRAIN_TIMEOUT))
  local after = client:stats()
  local result = { node = loss.node, noticed = loss.detected_at - killed, rate = writer.rate, partitions = loss.partitions }
  for i = 2, #PHASES do
    local name = PHASES[i]
    result[name] = loss[name] and result.noticed + loss[name]
  end
  result.written = after.ops_recorded - before.ops_recorded
  result.unacknowledged = result.written - (after.ops_acked - before.ops_acked)
  result.missing = count_missing(client, map, last)
  return result, victim
end

local function column(runs, name)
  local values = {}
  for _, one in ipairs(runs) do values[#values + 1] = one[name] end
  return values
end

local function summary_of(way, runs)
  local times = column(runs, "first_ack")
  local summary = { runs = runs, bar = BARS[way], missing = 0, unacknowledged = 0, phases = {}, median = median(times) }
  summary.min, summary.max = times[1], times[#times]
  for _, name in ipairs(PHASES) do summary.phases[name] = median(column(runs, name)) end
  summary.rate = median(column(runs, "rate"))
  for _, one in ipairs(runs) do
    summary.missing = summary.missing + one.missing
    summary.unacknowledged = summary.unacknowledged + one.unacknowledged
  end
  local is_whole = summary.missing == 0 and summary.unacknowledged == 0
  summary.passed = summary.median ~= nil and summary.median < summary.bar and is_whole
  return summary
end

local function start_client()
  local url = options.cluster
  if is_sim then url = url .. (url:find "?" and "&" or "?") .. "detection_ms=" .. options["detection-ms"] end
  local client = wingman.client { cluster = url, map_requests = { debounce = DEBOUNCE }, log_to = function() end }
  assert(client:start())
  return client
end

-- Real servers do not all live through several deaths of their neighbours.
local function bench(way)
  local client, runs = start_client(), {}
  if is_sim then assert(client:cluster():fault("all", "map-unpushed", way == "asked")) end
  local last = { number = 0 }
  for i = 1, options.runs do
    local victim
    runs[i], victim = run(client, client:map "bench", last)
    if is_sim then
      bring_back(client, victim)
    elseif i < options.runs then
      client:close()
      client = start_client()
    end
    if not options.json then
      say("  %-6s  run %2d of %d: %s\n", way, i, options.runs, runs[i].first_ack and text_table.duration(runs[i].first_ack)
        or "no write had to wait, the new map was there before the loss was noticed")
    end
  end
  client:close()
  return summary_of(way, runs)
end

local function print_result(result)
  local function duration(seconds) return seconds and text_table.duration(seconds) or "-" end
  say "\nFrom the kill to the first acknowledged write of the node's partitions\n\n"
  local rows = { { "map", "runs", "writes/s", "median", "min", "max", "bar", "unacknowledged", "not at the owner" } }
  local phases = { { "medians", "noticed", "map asked", "map received", "rerouted", "first ack", "drained" } }
  for _, way in ipairs { "pushed", "asked" } do
    local s = result[way]
    if s then
      rows[#rows + 1] = { way, #s.runs, s.rate, duration(s.median), duration(s.min), duration(s.max),
        ("%.0f ms"):format(s.bar * 1000), s.unacknowledged, s.missing }
      local row = { way }
      for i, name in ipairs(PHASES) do row[i + 1] = duration(s.phases[name]) end
      phases[#phases + 1] = row
    end
  end
  say("%s\n%s", text_table.format(rows, { heading = true, indent = "  " }),
    text_table.format(phases, { heading = true, indent = "  " }))
  if is_sim then
    say("\nOf each time %d ms are the simulated nodes' own: so long they take to notice a death.\n", options["detection-ms"])
  end
end

return wingman.run(function()
  local result = { cluster = options.cluster, rate = options.rate, detection_ms = is_sim and options["detection-ms"] or nil }
  result.pushed = bench "pushed"
  if is_sim then result.asked = bench "asked" end
  result.ratios = {}
  for way in pairs(BARS) do
    local summary = result[way]
    if summary and summary.median then result.ratios[way] = summary.bar / summary.median end
  end
  print_result(result)
  if options.json then io.write(cjson.encode(result), "\n") end
  return result.pushed.passed and (not result.asked or result.asked.passed) and 0 or 1
end)
