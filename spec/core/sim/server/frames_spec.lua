--- What the simulated cluster sends, against what real servers were recorded to
--- send: spec/vectors/frames.json.
local core = require "wingman.core"
local loop = require "wingman.loop"
local sim = require "wingman.sim"
local support = require "spec.core.sim.support"

--- How long to listen for frames that should not come.
local SETTLE = 0.05

--- Scenarios in the order in which they are run against one cluster: later ones
--- find what earlier ones have written. Fields: `nodes`, where connections other
--- than to node-1 go; `fresh`, they are not authenticated; `before`, an order;
--- `hidden`, keys whose values depend on the server's clock or past; `wait`,
--- seconds until a late close.
local runs = {
  {
    server = "TypeScript 0.11, cluster of 3 (native xxHash module present)",
    options = { dialect = "0.11", hash = "xxh64" },
    { "auth ok", fresh = true },
    { "auth malformed token", fresh = true },
    { "auth expired token", fresh = true },
    { "auth other message before auth", fresh = true },
    { "auth ping before auth", fresh = true },
    { "auth as JSON text frame", fresh = true },
    { "auth unknown type before auth", fresh = true },
    { "partition map from node 1" },
    { "partition map from node 2", nodes = { a = "node-2" } },
    { "partition map request with current version" },
    { "ping" },
    { "op batch and ack" },
    { "op batch without ids" },
    { "op batch empty" },
    { "op batch with write concern" },
    { "acks out of order, in one BATCH frame" },
    { "client op" },
    { "client op rejected" },
    { "the same in a batch is acknowledged" },
    { "invalid message" },
    { "undecodable frame" },
    { "query in a cluster" },
    { "live updates are duplicated", nodes = { s2 = "node-2", s3 = "node-3" } },
    {
      "node leaves: SHUTDOWN_PENDING, then a new map for the others",
      nodes = { c = "node-3" },
      before = function(cluster) assert(cluster:stop_node "node-3") end,
    },
  },
  {
    server = "TypeScript 0.11, single node",
    options = { nodes = 1, dialect = "0.11", hash = "xxh64" },
    { "query, live updates and events" },
    { "LWW sync", preparation = "query with sort, limit, cursor" },
    { "gc prune", before = function(cluster) assert(cluster:command "prune node-1 1795444939214") end },
  },
  {
    server = "Rust 2.2.0, single node",
    options = { nodes = 1 },
    { "auth ok", fresh = true },
    { "auth bad token", fresh = true, wait = 2.3 },
    { "auth message before auth", fresh = true },
    { "ping" },
    { "op batch and ack" },
    { "op batch without ids, empty, client op" },
    { "undefined value is fatal to the frame" },
    { "query, live updates and events" },
    { "LWW sync", hidden = { rootHash = true, ["0"] = true, ["1"] = true, ["2"] = true } },
    { "client BATCH, big-endian lengths, no count" },
    { "partition map" },
  },
  {
    server = "Rust 2.2.0, cluster of 3",
    options = {},
    prepare = function(cluster)
      local others = { support.authenticated(cluster, "node-1"), support.authenticated(cluster, "node-3") }
      assert(cluster:kill "node-2")
      for _, other in ipairs(others) do
        local message = other:receive() -- they have noticed, and pushed their maps
        assert(message and message.type == "PARTITION_MAP", "no map was pushed")
      end
    end,
    { "partition map from rn-1", hidden = { version = true } },
    { "partition map from rn-3", hidden = { version = true }, nodes = { a = "node-3" } },
  },
}

--- Scenarios that are not run, and why.
local left_out = {
  ["topic across nodes"] = "topics are not simulated",
  ["lock"] = "locks are not simulated",
  ["counter"] = "counters are not simulated",
  ["counter in the form of the reference client"] = "counters are not simulated",
  ["topic, lock, counter"] = "topics, locks and counters are not simulated",
  ["query with sort, limit, cursor"] = "cursors are not simulated",
  ["OR-map ops and sync"] = "OR-maps are not simulated",
  ["entry processor"] = "entry processors are not simulated",
  ["resolver and rejected merge"] = "conflict resolvers are not simulated",
  ["search"] = "search is not simulated",
  ["search unsubscribe is answered by OP_ACK"] = "search is not simulated (the unmatched OP_ACK is, see cluster_spec)",
  ["journal not enabled"] = "the journal is not simulated",
  ["partition map from rn-2"] = "the recorded cluster was split: nodes with different memberships are not simulated",
}

local recorded = {}
for _, scenario in ipairs(support.vectors("frames.json").scenarios) do
  recorded[scenario.server] = recorded[scenario.server] or {}
  recorded[scenario.server][scenario.name] = scenario
end

--- The one frame that the recording shortens: 400 operations, A0 to A399.
local function long_batch()
  local ops = {}
  for i = 0, 399 do
    local time = { millis = 1795444916374, counter = 0, nodeId = "client-1" }
    ops[i + 1] = { id = "A" .. i, mapName = "ord", opType = "PUT", key = "o" .. i, record = { value = 0, timestamp = time } }
  end
  return core.encode { type = "OP_BATCH", payload = { ops = ops } }
end

local function bytes_of(frame)
  if frame.hex:find("...", 1, true) then return long_batch() end
  return support.unhex(frame.hex)
end

--- The frames from number `i` on that went out together on one connection, so
--- that their answers may come in one BATCH; and the number of the last one.
local function together(frames, i)
  local first, list = frames[i], {}
  while true do
    list[#list + 1] = bytes_of(frames[i])
    local following = frames[i + 1]
    local belongs = following and following.dir == "c2s" and following.conn == first.conn
    if not belongs or following.t - frames[i].t >= 10 then return list, i end
    i = i + 1
  end
end

local function open_connections(cluster, scenario, plan)
  local connections = {}
  for _, frame in ipairs(scenario.frames) do
    if not connections[frame.conn] then
      local node = plan.nodes and plan.nodes[frame.conn] or "node-1"
      connections[frame.conn] = (plan.fresh and support.connect or support.authenticated)(cluster, node)
    end
  end
  return connections
end

local function expect_all(counts)
  for connection, count in pairs(counts) do connection:expect(count) end
end

--- Plays the client's side; gives what each connection was sent, as text.
local function play(cluster, scenario, plan)
  local connections = open_connections(cluster, scenario, plan)
  if plan.before then plan.before(cluster) end
  local frames, counts, i = scenario.frames, {}, 1
  while frames[i] do
    local frame = frames[i]
    local connection = connections[frame.conn]
    if frame.dir == "s2c" then
      counts[connection] = (counts[connection] or 0) + 1
    else
      expect_all(counts)
      local list
      list, i = together(frames, i)
      connection:send_all(list, not frame.bin)
    end
    i = i + 1
  end
  expect_all(counts)
  loop.sleep(plan.wait or SETTLE)
  local sent, closed = {}, {}
  for name, connection in pairs(connections) do
    connection:poll()
    sent[name] = {}
    for n, one in ipairs(connection.frames) do
      sent[name][n] = support.masked(one.bytes, one.text, plan.hidden)
    end
    closed[name] = connection.closed and ("%d %s"):format(connection.closed.code, connection.closed.reason) or nil
  end
  return sent, closed
end

local function recording(scenario, plan)
  local sent, closed = {}, {}
  for _, frame in ipairs(scenario.frames) do
    sent[frame.conn] = sent[frame.conn] or {}
    if frame.dir == "s2c" then
      table.insert(sent[frame.conn], support.masked(support.unhex(frame.hex), not frame.bin, plan.hidden))
    end
  end
  for name, close in pairs(scenario.closed or {}) do closed[name] = ("%d %s"):format(close.code, close.reason) end
  return sent, closed
end

--- Where two lists of frames per connection differ first, in a few words.
local function difference(expected, sent)
  for name, frames in pairs(expected) do
    for i = 1, math.max(#frames, #sent[name]) do
      local a, b = frames[i] or "(nothing)", sent[name][i] or "(nothing)"
      if a ~= b then
        local at = 1
        while a:byte(at) == b:byte(at) do at = at + 1 end
        local from = math.max(1, at - 40)
        return ("%s, frame %d: expected ...%s, got ...%s"):format(name, i, a:sub(from, at + 80), b:sub(from, at + 80))
      end
    end
  end
end

for _, run in ipairs(runs) do
  describe("the simulated server sends what was recorded from " .. run.server .. ":", function()
    local cluster

    lazy_setup(function()
      run.options.secret = support.secret
      cluster = assert(sim.start(run.options))
      if run.prepare then run.prepare(cluster) end
    end)
    lazy_teardown(function() cluster:stop() end)

    for _, plan in ipairs(run) do
      it(plan[1], function()
        local scenario = assert(recorded[run.server][plan[1]], "not in frames.json")
        if plan.preparation then
          support.authenticated(cluster, "node-1"):send(bytes_of(recorded[run.server][plan.preparation].frames[1]))
        end
        local expected, expected_close = recording(scenario, plan)
        local sent, closed = play(cluster, scenario, plan)
        assert.is_nil(difference(expected, sent))
        assert.same(expected_close, closed)
      end)
    end
  end)
end

describe("frames.json", function()
  it("has no scenario that is neither run nor left out for a reason", function()
    local run_here = {}
    for _, run in ipairs(runs) do
      for _, plan in ipairs(run) do run_here[run.server .. ": " .. plan[1]] = true end
    end
    local forgotten = {}
    for server, scenarios in pairs(recorded) do
      for name in pairs(scenarios) do
        if not run_here[server .. ": " .. name] and not left_out[name] then table.insert(forgotten, server .. ": " .. name) end
      end
    end
    assert.same({}, forgotten)
  end)
end)
