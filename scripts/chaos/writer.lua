--- The process of a client that may be killed: writes, removes and reads with a durable
--- op log, and says on standard output what it is about to do and what came of it, one
--- JSON object a line. Started by process_client.lua.
local directory = arg[0]:match "^(.*)/chaos/[^/]*$" or "scripts"
package.path = directory .. "/?.lua;" .. package.path

local cjson = require "cjson"
local client_options = require "chaos.client_options"
local core = require "wingman.core"
local history_module = require "chaos.history"
local loop = require "wingman.loop"
local random = require "chaos.random"
local route_watch = require "chaos.route_watch"
local wingman = require "wingman"
local workload = require "chaos.workload"

local now = loop.now
local job = cjson.decode(os.getenv "WINGMAN_CHAOS_JOB")
local order = job.order
local DRAIN_TIMEOUT = 20

local out = {}

local function say(event)
  event.at = now()
  out[#out + 1] = cjson.encode(event)
end

local function flush()
  if #out == 0 then return end
  io.stdout:write(table.concat(out, "\n"), "\n")
  io.stdout:flush()
  out = {}
end

local function open()
  local rng = random.new(job.seed)
  local cluster = { secret = os.getenv "WINGMAN_CHAOS_SECRET" }
  local options = client_options.of({ urls = job.urls, cluster = cluster, proxies = job.proxies or nil }, rng, job.patience)
  options.oplog = { path = job.path }
  return assert(wingman.client(options))
end

local seen

local function tell_map(client)
  local map = client:partition_map()
  if not map or map == seen then return end
  seen = map
  say { e = "map", owners = map.owners }
end

local function watch(client)
  client:on("node_connected", function(node) say { e = "connected", node = node.id } end)
  client:on("node_lost", function(event) say { e = "lost", node = event.id, reason = event.reason } end)
  loop.add_source { drain_events = function()
    tell_map(client)
    flush()
  end }
end

local ids = {} -- seq -> id, of what is not settled

local function follow(client, seq, id)
  ids[seq] = id
  client:settlement(seq):on_settled(function(future)
    local ok, result = future:wait(0)
    ids[seq] = nil
    tell_map(client) -- by which it was routed: a timer may have changed it since it was told last
    if ok then say { e = "acked", id = id, node = result } else say { e = "failed", id = id, code = result.code } end
  end)
end

-- What the last process left. A removal has no value to tell its id; its time does,
-- and that is known to the other side.
local function tell_loaded(client)
  local pending = client.core:operations(0)
  table.sort(pending, function(a, b) return a.seq < b.seq end)
  for _, op in ipairs(pending) do
    local record = core.decode(op.bytes).record
    local t = record.timestamp
    local id = record.value ~= core.null and history_module.written_by(record.value) or nil
    say { e = "loaded", id = id, key = op.key, partition = op.partition, time = history_module.time(t.millis, t.counter, t.nodeId) }
    follow(client, op.seq, id or "@" .. history_module.time(t.millis, t.counter, t.nodeId))
  end
end

-- The interface of workload.lua: a burst's intents are told before the first of them
-- is carried out, what was recorded once it is in the file.
local function writer(client)
  local made = { name = job.name, intents = {} }

  function made:write(map_name, key, kind)
    order = order + 1
    local id = job.name .. "-" .. order
    say { e = "intent", id = id, key = key, kind = kind }
    self.intents[#self.intents + 1] = { id = id, map = map_name, key = key, kind = kind }
  end

  function made:read() end

  function made:carry_out()
    flush()
    local kept = {}
    for _, i in ipairs(self.intents) do
      local map = client:map(i.map)
      local seq, err
      if i.kind == "set" then seq, err = map:set(i.key, history_module.value(i.id)) else seq, err = map:remove(i.key) end
      if seq then
        local t = map:record(i.key)
        say { e = "recorded", id = i.id, partition = client:partition_of(i.key), time = history_module.time(t.millis, t.counter, t.node) }
        follow(client, seq, i.id)
        kept[#kept + 1] = i.id
      else
        say { e = "refused", id = i.id, code = err.code }
      end
    end
    self.intents = {}
    if client:sync() and #kept > 0 then say { e = "kept", ids = kept } end
    flush()
  end

  return made
end

local function must_stop()
  local file = io.open(job.path .. ".stop")
  if file then file:close() end
  return file ~= nil
end

return wingman.run(function()
  local client = open()
  watch(client)
  tell_loaded(client)
  flush()
  client:start() -- under faults it may not connect at once; writes wait in the log
  route_watch.each(client, function() tell_map(client) end)
  local rng, self = random.new(job.seed * 13 + 1), writer(client)
  while not must_stop() do
    workload.burst(self, job.work, rng)
    self:carry_out()
    loop.sleep(rng:float() * job.work.rest)
  end
  client:drain(DRAIN_TIMEOUT)
  loop.sleep(0.02) -- what was settled last is told in a later step of the loop
  local counts = client:stats()
  counts.pending = client:pending_ops()
  local pending = {}
  for _, id in pairs(ids) do pending[#pending + 1] = id end
  say { e = "done", pending = pending, counts = counts }
  flush()
  client:close()
end)
