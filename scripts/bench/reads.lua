--- What a read of a key costs: beside a write that waits for its acknowledgement, and with a load test that measures it.
local directory = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = directory .. "/?.lua;" .. package.path

local cjson = require "cjson"
local cluster_url = require "wingman.client.options.cluster_url"
local core = require "wingman.core"
local loop = require "wingman.loop"
local median = require "median"
local metrics = require "wingman.metrics.registry"
local read_options = require "options"
local reads = require "wingman.metrics.reads"
local text_table = require "wingman.text.table"
local wingman = require "wingman"

local USAGE = [[
usage: wingman run scripts/bench/reads.lua [--rounds N] [--calls N] [--cluster URL] [--json]

One task that makes one call after the other, in rounds that alternate between

  write     map:set, and the wait for its acknowledgement
  read      map:read of one key that is there
  measured  the same as a load test measures it
  several   map:read of 64 keys at once, counted by key

The ratios are medians over the rounds of one run. The time of a call is that of a round
trip, most of which is the cluster's and the system's; the CPU time is that of this thread.

  --rounds N     rounds (default 7)
  --calls N      calls in each part of a round (default 500)
  --cluster URL  sim://N or topgun://N (default sim://3)
  --json         one JSON object as the last line, ratios under "ratios"
]]

local MAP, KEYS, AT_ONCE = "bench", 1000, 64

local keys = {}
for i = 1, KEYS do keys[i] = "key-" .. i end

-- What a load test has in its client: the reads of one scenario.
local function measuring()
  local run = {
    registry = metrics.registry(), options = { thresholds = {} }, context = { tag = 1, late_us = 0 },
    scenario_of_tag = { { tags = { scenario = "main" } } }, group_of_tag = {},
  }
  local own = reads.new(run)
  return { read = function(map, key, seconds, value, err) own:read(map, key, seconds * 1e6, value, err) end }, own
end

local parts = {}

function parts.write(client, calls)
  local map = client:map(MAP)
  for i = 1, calls do assert(client:wait((assert(map:set(keys[i % KEYS + 1], { n = i, text = "a text of some length" }))))) end
  return calls
end

function parts.read(client, calls)
  local map = client:map(MAP)
  for i = 1, calls do assert(map:read(keys[i % KEYS + 1])) end
  return calls
end

function parts.measured(client, calls)
  client.measured = measuring()
  parts.read(client, calls)
  client.measured = nil
  return calls
end

function parts.several(client, calls)
  local map, count = client:map(MAP), 0
  for i = 1, calls / AT_ONCE do
    local wanted = {}
    for k = 1, AT_ONCE do wanted[k] = keys[(i * AT_ONCE + k) % KEYS + 1] end
    assert(map:read(wanted))
    count = count + AT_ONCE
  end
  return count
end

local NAMES = { "write", "read", "measured", "several" }

-- Microseconds of a call, and of them on the processor.
local function measure(client, name, calls)
  local began, cpu = loop.now(), core.thread_cpu_seconds()
  local count = parts[name](client, calls)
  return (loop.now() - began) / count * 1e6, (core.thread_cpu_seconds() - cpu) / count * 1e6
end

-- What is recorded for a read, alone: nanoseconds.
local function recording()
  local hook, calls = measuring(), 200000
  local began = core.thread_cpu_seconds()
  for i = 1, calls do hook.read(MAP, keys[i % KEYS + 1], 0.0002, true) end
  return (core.thread_cpu_seconds() - began) / calls * 1e9
end

local function bench(options)
  local client = assert(wingman.client { cluster = options.cluster })
  assert(client:start())
  for i = 1, KEYS do assert(client:map(MAP):set(keys[i], { n = i, text = "a text of some length" })) end
  assert(client:drain "60s")
  local times, cpus, ratios = {}, {}, { read = {}, measured = {}, several = {}, measured_cpu = {} }
  for _, name in ipairs(NAMES) do times[name], cpus[name] = {}, {} end
  for round = 0, options.rounds do -- round 0 warms up
    local took, used = {}, {}
    for _, name in ipairs(NAMES) do took[name], used[name] = measure(client, name, options.calls) end
    if round > 0 then
      for _, name in ipairs(NAMES) do
        table.insert(times[name], took[name])
        table.insert(cpus[name], used[name])
        if ratios[name] then table.insert(ratios[name], took[name] / took.write) end
      end
      table.insert(ratios.measured_cpu, used.measured / used.read)
    end
  end
  client:close()
  local result = { rounds = options.rounds, calls = options.calls, ratios = {}, us = {}, cpu_us = {}, recording_ns = recording() }
  for name, values in pairs(ratios) do result.ratios[name] = median(values) end
  for _, name in ipairs(NAMES) do result.us[name], result.cpu_us[name] = median(times[name]), median(cpus[name]) end
  return result
end

local titles = { write = "a write and its acknowledgement", read = "a read", measured = "a read that is measured",
  several = "a key of 64 that are read at once" }

wingman.run(function()
  local options = read_options(USAGE, { rounds = 7, calls = 500, cluster = "sim://3" })
  local has_cluster, wrong = cluster_url.check_embedded(options.cluster)
  if not has_cluster then
    io.stderr:write("reads: --cluster: ", wrong, "\n")
    os.exit(2, true)
  end
  local result = bench(options)
  local rows = { { "one after the other", "time", "a second", "times a write", "CPU" } }
  for _, name in ipairs(NAMES) do
    rows[#rows + 1] = { titles[name], ("%.0f us"):format(result.us[name]), text_table.count(math.floor(1e6 / result.us[name])),
      ("%.2f"):format(result.ratios[name] or 1), ("%.0f us"):format(result.cpu_us[name]) }
  end
  io.write(text_table.format(rows, { heading = true, indent = "  " }))
  io.write(("\n  a load test records a read in %.0f ns; its CPU time is %.2f times that of one that is not measured\n")
    :format(result.recording_ns, result.ratios.measured_cpu))
  if options.json then io.write(cjson.encode(result), "\n") end
end)
