--- What the send window is worth: writes to one v2 node with it, beside fixed settings, in turns.
local directory = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = directory .. "/?.lua;" .. package.path

local cjson = require "cjson"
local cluster_url = require "wingman.client.options.cluster_url"
local core = require "wingman.core"
local embedded_cluster = require "wingman.testbed"
local loop = require "wingman.loop"
local median = require "median"
local read_options = require "options"
local text_table = require "wingman.text.table"
local wingman = require "wingman"

local USAGE = [[
usage: wingman run scripts/bench/send_window.lua [--rounds N] [--writes N] [--heard N] [--cluster URL] [--json]

Writes to one node of a v2 cluster, by a new client each time, in rounds that take turns with

  window     the send window
  200 x 4    batches of 200 operations, 4 in flight
  250 x 16   batches of 250 operations, 16 in flight

and tells the rate from the first write to the last acknowledgement, and which part of the batches the node
refused; and which part of keys that are written at once another client is told of that listens.
The ratios are medians over the rounds of one run.

  --rounds N     rounds (default 5)
  --writes N     writes of each setting in a round (default 60000)
  --heard N      keys that another client listens to (default 20000)
  --cluster URL  sim://N or topgun://N (default topgun://1)
  --json         one JSON object as the last line
]]

local SETTINGS = {
  { name = "window" },
  { name = "200 x 4", batch = 200, batches = 4 },
  { name = "250 x 16", batch = 250, batches = 16 },
}
--- Seconds for all writes of a part, and until a listener is told of nothing more.
local PATIENCE, QUIET = 300, 0.5

local function started(cluster, setting)
  local refused = { count = 0 }
  local client = wingman.client { cluster = { seeds = cluster.urls }, auth = { token = cluster.token }, start_timeout = PATIENCE,
    connect_timeout = PATIENCE, log_to = function() end }
  client:on("server_error", function() refused.count = refused.count + 1 end)
  if setting and setting.batch then client.core:fix_windows(setting.batch, setting.batch * setting.batches) end
  assert(client:start())
  assert(loop.wait_until(function() return #client:connected_nodes() == #cluster.nodes end, PATIENCE), "not every node is connected")
  return client, refused
end

-- Keys of the first node.
local function keys_of(cluster, count)
  local client = started(cluster)
  local map, id, keys, i = client:partition_map(), cluster.nodes[1].id, {}, 0
  while #keys < count do
    i = i + 1
    local key = "key-" .. i
    if not map or map.owners[client:partition_of(key) + 1] == id then keys[#keys + 1] = key end
  end
  client:close()
  return keys
end

local function write(client, map_name, keys)
  local map = client:map(map_name)
  for _, key in ipairs(keys) do assert(map:set(key, { v = 1, text = "a text of some length" })) end
  assert(client:drain(PATIENCE))
end

-- The rate, the part of the batches that was refused, and how many operations were sent again.
local function measure(cluster, setting, map_name, keys)
  local client, refused = started(cluster, setting)
  local began = loop.now()
  write(client, map_name, keys)
  local seconds, stats = loop.now() - began, client:stats()
  client:close()
  return { rate = #keys / seconds, refused = refused.count / stats.batches_sent, again = stats.ops_resent }
end

-- The part of the keys that another client is told of.
local function measure_heard(cluster, setting, map_name, keys)
  local listener, client = started(cluster), started(cluster, setting)
  local heard, count, last = {}, 0, loop.now()
  listener:map(map_name):on("change", function(key)
    last = loop.now()
    if not heard[key] then heard[key], count = true, count + 1 end
  end, { replicate = false })
  assert(loop.wait_until(function()
    client:map(map_name):set("first", loop.now())
    loop.sleep(0.01)
    return heard.first
  end, PATIENCE), "nothing is heard")
  count = 0
  write(client, map_name, keys)
  loop.wait_until(function() return loop.now() - last > QUIET end, PATIENCE)
  client:close()
  listener:close()
  return count / #keys
end

local function first_of(list, count)
  local some = {}
  for i = 1, count do some[i] = list[i] end
  return some
end

local function bench(options)
  local cluster = assert(embedded_cluster.start(options.cluster))
  local keys = keys_of(cluster, math.max(options.writes, options.heard))
  local found = {}
  for i = 1, #SETTINGS do found[i] = { rate = {}, ratio = {}, refused = {}, again = {}, heard = {} } end
  local writes, heard = first_of(keys, options.writes), first_of(keys, options.heard)
  for round = 1, options.rounds do
    local rates = {}
    for i, setting in ipairs(SETTINGS) do
      local one = measure(cluster, setting, ("m_%d_%d"):format(round, i), writes)
      rates[i] = one.rate
      for name, value in pairs(one) do table.insert(found[i][name], value) end
      table.insert(found[i].heard, measure_heard(cluster, setting, ("h_%d_%d"):format(round, i), heard))
    end
    for i = 1, #SETTINGS do table.insert(found[i].ratio, rates[1] / rates[i]) end
  end
  cluster:stop()
  local result = { cluster = options.cluster, writes = options.writes, rounds = options.rounds, settings = {} }
  for i, setting in ipairs(SETTINGS) do
    local one = { name = setting.name }
    for name, values in pairs(found[i]) do one[name] = median(values) end
    result.settings[i] = one
  end
  return result
end

loop.run(function()
  local options = read_options(USAGE, { rounds = 5, writes = 60000, heard = 20000, cluster = "topgun://1" })
  local has_cluster, wrong = cluster_url.check_embedded(options.cluster)
  if not has_cluster then
    io.stderr:write("send_window: --cluster: ", wrong, "\n")
    os.exit(2, true)
  end
  local began = core.cpu_seconds()
  local result = bench(options)
  local rows = { { options.cluster, "writes a second", "the window's rate", "refused", "sent again", "heard" } }
  for i, one in ipairs(result.settings) do
    rows[i + 1] = { one.name, text_table.count(math.floor(one.rate)), ("%.2f times"):format(one.ratio), ("%.1f %%"):format(one.refused * 100),
      text_table.count(one.again), ("%.1f %%"):format(one.heard * 100) }
  end
  io.write(text_table.format(rows, { heading = true, indent = "  " }))
  io.write(("\n  %.0f s of CPU time of this process\n"):format(core.cpu_seconds() - began))
  if options.json then io.write(cjson.encode(result), "\n") end
  return 0
end)
