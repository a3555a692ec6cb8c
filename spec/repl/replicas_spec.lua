--- The prompt on maps, their replicas and what the nodes hold of them.
local clusters = require "spec.support.cluster"
local completion = require "wingman.repl.completion"
local eventually = require "spec.support.eventually"
local inspect = require "wingman.inspect"
local session_module = require "wingman.repl.session"

local env = getfenv()

clusters.on_each(env, "the prompt", function(shared, it)
  local client, other, map, name, session, out

  before_each(function()
    client, other = shared:started(), shared:started()
    name = shared:map_name()
    map = client:map(name)
    for _, one in ipairs { client, other } do
      eventually("every node is connected", function() return #one:connected_nodes() == #shared.cluster.nodes end)
    end
    session = session_module.new {
      write = function(text) out[#out + 1] = text end,
      environment = setmetatable({ client = client }, { __index = _G }),
      width = function() return 120 end,
    }
    session.client = client
  end)
  after_each(function() session:close() end)

  local function run(line, ...)
    out = {}
    local ok = session:run(line:format(name, ...))
    return table.concat(out), ok
  end

  local function write(by, from, to, value_of)
    for i = from, to do assert(by:map(name):set("k" .. i, value_of(i))) end
    assert(by:drain(60))
  end

  it("makes a replica, and says when it is equal to every node, and how it stands", function()
    write(other, 1, 120, function(i) return { v = i } end)
    assert.equal("no replicas: .replicate MAP makes one\n", (run ".replicas"))
    local text = run ".maps"
    assert.truthy(text:find(name .. " +0  what this client wrote or heard of\n1 map of this client; which others the cluster has is not known\n"), text)
    text = run ".replicate %s"
    assert.truthy(text:find("^" .. name .. ": 120 records, [%d,]+ requests, [%d.]+ m?u?s; live; equal on 3 of 3 nodes\n$"), text)
    text = run ".maps"
    assert.truthy(text:find(name .. " +120  a replica, live\n"), text)
    text = run ".replicas"
    assert.truthy(text:find("map +state +for +records +bytes +repairs +lost +behind +requests\n"), text)
    assert.truthy(text:find(name .. " +live +[%d.]+ m?u?s +120 +[%d.,]+ K?i?B +0 +0 +0 +[%d,]+\n  equal to node%-1 [%d.]+ m?u?s ago, node%-2 [^,]+ ago, node%-3 [^,]+ ago\n"), text)
    local one = inspect.replicas(client)[1]
    local bytes = 0
    for i = 1, 120 do bytes = bytes + #("k" .. i) + #require("wingman.core").encode { v = i } end
    if shared.is_0_11 then -- its nodes write numbers in more bytes
      assert(one.bytes > bytes)
      bytes = one.bytes
    end
    assert.same({ name, "live", 120, bytes, 0, 0, { "node-1", "node-2", "node-3" } },
      { one.map, one.state, one.records, one.bytes, one.repairs, one.lost, one.nodes })
    local synced = inspect.replicate(map)
    assert.same({ "live", 120, 3, 3 }, { synced.state, synced.records, synced.equal, synced.nodes })
    assert(synced.requests >= 3, "each node is asked once more, in " .. synced.requests .. " requests")
  end)

  it("says of which node it does not know whether the replica is equal to it", function()
    write(other, 1, 30, function(i) return i end)
    assert(shared.cluster:pause "node-2")
    local text, ok = run ".replicate %s 0.2"
    assert(shared.cluster:resume "node-2")
    assert.is_false(ok)
    assert.truthy(text:find("^the replica goes on; .replicas shows it\nTIMEOUT: map '" .. name .. "': not equal to the nodes within 0%.2 s: node%-%d"), text)
    assert.truthy(run(".replicas"):find("snapshot", 1, true))
    assert.truthy(run(".replicate %s 60"):find("30 records, .*equal on 3 of 3 nodes\n"))
  end)

  it("says why a replica is not live, and when a node that is away was equal last", function()
    client = shared:started { heartbeat = { interval = 0.1, timeout = 0.5 } }
    session.client = client
    write(other, 1, 30, function(i) return i end)
    assert.is_true(select(2, run ".replicate %s 60"))
    assert(shared.cluster:pause "node-2") -- its partitions stay its own
    eventually("node-2 is lost", function() return inspect.replicas(client)[1].state == "partial" end)
    local text = run ".replicas"
    assert(shared.cluster:resume "node-2")
    assert.truthy(text:find("\n  node%-2 is not connected\n  equal to node%-1 [^,]+ ago, node%-2 [%d.]+ m?u?s ago, node%-3 [^,]+ ago\n"), text)
    eventually("it is back", function() return inspect.replicas(client)[1].state == "live" end)
    assert.is_nil(inspect.replicas(client)[1].why)
  end)

  it("takes no word for another one: what has blanks stands in quotes", function()
    for _, line in ipairs { ".read %s ann lee", ".diff %s ann", ".replicate %s 5 6", ".records %s a copy b", ".route ann lee", ".watch %s a b" } do
      local text, ok = run(line)
      assert.is_false(ok, line)
      assert.truthy(text:find("usage: %.%a+ .*; what has blanks stands in quotes\n"), text)
    end
  end)

  it("says nothing of a map that has no source, which it only looks at", function()
    for _, line in ipairs { ".maps", ".diff %s", ".records %s '' copy", ".route ann", ".replicas" } do assert.is_true(select(2, run(line)), line) end
    completion.complete(session, (".read %s k"):format(name), #name + 8)
    assert.same({}, shared:logged "map_not_replicated")
  end)

  it("compares a replica with what each node holds", function()
    write(other, 1, 60, function(i) return { v = i, list = { 1, { i } } } end)
    assert(map:synced(60))
    local text = run ".diff %s"
    assert.equal("replica (live) against 3 nodes: 0 differ, 0 only here, 0 only there; 0 held by a node that does not own them\n", text)
    local data = inspect.diff(map)
    assert.same({ 60, 0, {}, { "node-1", "node-2", "node-3" } }, { data.keys, data.changed, data.missing, data.nodes })
  end)

  it("finds what is another value here, only here, and only there", function()
    write(client, 1, 40, function(i) return { v = i } end)
    write(other, 1, 12, function(i) return { v = -i } end)
    write(other, 41, 55, function(i) return { v = i } end)
    for i = 31, 32 do assert(other:map(name):remove("k" .. i)) end
    assert(other:drain(60))
    local data = inspect.diff(map)
    local function keys(list)
      local all = {}
      for i, one in ipairs(list) do all[i] = one.key end
      return #all, all[1], all[2]
    end
    assert.same({ 12, "k1", "k10" }, { keys(data.differ) })
    assert.same({ 2, "k31", "k32" }, { keys(data.only_here) })
    assert.same({ 15, "k41", "k42" }, { keys(data.only_there) })
    assert.same({ 0, 0, 53 }, { #data.not_owned, data.changed, data.keys })
    local one = data.differ[1]
    assert.same({ "k1", { v = 1 }, { v = -1 } }, { one.key, one.here, one.there })
    if not shared.is_0_11 then assert.equal(client:partition_map().owners[client:partition_of "k1" + 1], one.node) end
    local text = run ".diff %s"
    assert.truthy(text:find("^local copy, which is no replica, against 3 nodes: 12 differ, 2 only here, 15 only there; 0 held"), text)
    assert.truthy(text:find("  differs     k1   node%-%d  { v = 1 } +{ v = %-1 }\n"), text)
    assert.truthy(text:find("  only here   k31  %- +{ v = 31 } +%-\n"), text)
    assert.truthy(text:find("\n  2 more\n.*\n  5 more\n$"), text)
    assert.truthy(text:find("  only there  k41  node%-%d  %- +{ v = 41 }\n"), text)
    assert.is_nil(text:find("k55", 1, true), "what does not fit is counted")
  end)

  it("says why a replica alone has a key", function()
    write(other, 1, 10, function(i) return i end)
    assert(map:synced(60))
    client.provider.routing = function() return nil end -- it waits for a route
    client.provider:recompute()
    assert(map:set("mine", 5))
    local text = run ".diff %s"
    assert.truthy(text:find("  only here  mine  own write +5 +%-\n"), text)
  end)

  it("does not count what changes while the nodes are read", function()
    write(client, 1, 5, function(i) return i end)
    write(other, 1, 1, function() return -1 end)
    local holdings, calls = client.holdings, 0
    function client.holdings(...)
      calls = calls + 1
      if calls == 4 then -- the second reading begins
        write(other, 1, 1, function() return -2 end)
        write(other, 5, 5, function() return -5 end)
      end
      return holdings(...)
    end
    local data = inspect.diff(map)
    assert.equal(6, calls)
    assert.same({ {}, {}, {}, 2 }, { data.differ, data.only_here, data.only_there, data.changed })
    assert.truthy(tostring(data):find("\n2 keys changed while the nodes were read, and not counted", 1, true), tostring(data))
  end)

  it("finds what a node holds and does not own", function()
    if shared.is_0_11 then return end -- such a node drops it
    local owners = client:partition_map().owners
    client.provider.routing = function() return "node-1" end
    client.provider:recompute()
    local twice = 21
    while owners[client:partition_of("k" .. twice) + 1] == "node-1" do twice = twice + 1 end
    write(other, twice, twice, function() return "older, at its owner" end)
    write(client, twice, twice, function() return "newer, elsewhere" end)
    local data = inspect.diff(map)
    assert.same({ 1, 1, "older, at its owner" }, { #data.not_owned, #data.differ, data.differ[1].there })
    assert.equal("older, at its owner", inspect.records(map)[1].value)
    name = shared:map_name()
    map = client:map(name)
    write(client, 1, 20, function(i) return i end)
    local foreign = 0
    for i = 1, 20 do foreign = foreign + (owners[client:partition_of("k" .. i) + 1] ~= "node-1" and 1 or 0) end
    assert(foreign > 1)
    data = inspect.diff(map)
    assert.same({ foreign, 0, 0, 0 }, { #data.not_owned, #data.differ, #data.only_here, #data.only_there })
    for _, one in ipairs(data.not_owned) do
      assert.same({ "node-1", owners[client:partition_of(one.key) + 1] }, { one.node, one.owner })
    end
    local text = run ".diff %s"
    assert.truthy(text:find(("0 only there; %d held by a node that does not own them\n"):format(foreign), 1, true), text)
    assert.truthy(text:find("  not its own  k%d+ +node%-1 %(owner: node%-[23]%) +%- +%d+\n"), text)
  end)

  it("says which nodes it did not ask", function()
    write(other, 1, 30, function(i) return i end)
    function client.connected_nodes() return { "node-1", "node-3" } end
    local data = inspect.diff(map)
    assert.same({ { "node-1", "node-3" }, { "node-2" } }, { data.nodes, data.missing })
    assert.truthy(tostring(data):find("\nnot compared with what is not connected: node-2\n", 1, true))
    local records = inspect.records(map)
    assert.same({ { "node-1", "node-3" }, { "node-2" } }, { records.nodes, records.missing })
    assert.truthy(tostring(records):find("^from 2 nodes, read now; not connected, and missing here: node%-2\n"))
    function client.connected_nodes() return {} end
    local nothing, err = inspect.diff(map)
    assert.same({ nil, "NOT_CONNECTED" }, { nothing, err.code })
    assert.equal("from the local copy, which is no replica: what this client wrote or heard of\nno records\n", (run ".records %s"))
    local _, ok = run ".diff %s"
    assert.is_false(ok)
  end)

  it("lists records of the nodes, and of a replica without asking them, and says which", function()
    write(other, 1, 60, function(i) return { v = i } end)
    assert(other:map(name):remove "k60")
    assert(map:set("k1", "mine"))
    assert(other:drain(60))
    assert(client:drain(60))
    local text = run ".records %s"
    assert.truthy(text:find("^from 3 nodes, read now\nkey +written at +counter +by +held by +value\nk1 "), text)
    assert.truthy(text:find("\n9 more\n$"), text)
    text = run ".records %s k2?"
    assert.truthy(text:find("\nk21 +%d%d%d%d%-%d%d%-%d%d .* node%-%d +{ v = 21 }\n"), text)
    assert.same({ 11, "cluster" }, { #inspect.records(map, "k2"), inspect.records(map, "k2").source })
    local own, read = inspect.records(map, nil, nil, "copy"), inspect.records(map, "k1", 1)
    assert.same({ 1, "mine", true, "copy" }, { own.total, own[1].value, own[1].own, own.source })
    assert.same({ "k1", "mine", shared.is_0_11 }, { read[1].key, read[1].value, read[1].own })
    assert(map:synced(60))
    function client.holdings() error "a node was asked" end
    text = run ".records %s k2?"
    assert.truthy(text:find("^from the replica %(live%)\nkey +written at +counter +by +value\nk20 .*{ v = 20 }\n"), text)
    assert.equal(59, inspect.records(map).total)
    client.holdings = nil
    assert.truthy(run(".records %s k2? cluster"):find("^from 3 nodes, read now\n"))
    local _, ok = run ".records %s k2? somewhere"
    assert.is_false(ok)
  end)

  it("shows no text of others as it is", function()
    assert(other:map(name):set("\27[2Jkey", { text = "\27[31m\155" }))
    assert(other:map(name):set("two words", 1))
    assert(other:drain(60))
    assert.truthy(run(".read %s 'two words'"):find("key +two words\n"))
    assert.truthy(run('.read %s "two words"'):find("key +two words\n"))
    for _, line in ipairs { ".records %s", ".diff %s", ".replicate %s", ".replicas", ".maps", ".records %s", ".diff %s" } do
      local text, ok = run(line)
      assert.is_true(ok, text)
      assert.is_nil(text:find "[\27\155]", line .. ": " .. text)
      if line == ".records %s" then assert.truthy(text:find("\n\\027[2Jkey", 1, true), text) end
    end
  end)

  it("completes maps, and the keys of the map that was named", function()
    write(client, 1, 3, function(i) return i end)
    assert(client:map(name .. "_other"):set("k-other", 1))
    local function complete(line)
      line = line:format(name)
      local insert, list = completion.complete(session, line, #line)
      return { insert, list }
    end
    for _, command in ipairs { "replicate", "diff", "records", "read" } do
      assert.same({ "", { name, name .. "_other" } }, complete("." .. command .. " %s"), command)
    end
    assert.same({ "", { "k1", "k2", "k3" } }, complete ".read %s k")
    assert.same({ "2 ", { "k2" } }, { complete(".records %s k2")[1] == " " and "2 ", complete(".records %s k2")[2] })
    assert.same({ "-other ", { "k-other" } }, complete ".read %s_other k")
    assert.same({ "", {} }, complete ".read nobody k")
    assert.same({ "uster ", { "cluster" } }, complete ".records %s k cl")
    assert.same({ "", {} }, complete ".diff %s k")
    session.environment.m = map
    assert.same({ "", { "k1", "k2", "k3" } }, complete "m:read('k")
    assert.is_nil(client.maps.nobody)
  end)

  it("shows what a node has lost, and that the replica alone has it", function()
    if shared.is_0_11 then return end -- the backups have it
    write(other, 1, 90, function(i) return i end)
    assert(map:synced(60))
    assert(shared.cluster:kill "node-2")
    for _, one in ipairs { client, other } do
      eventually("node-2 is lost", function() return #one:connected_nodes() == 2 end)
    end
    shared:restart("node-2", other)
    eventually("node-2 is followed again", function() return #client:connected_nodes() == 3 end)
    assert(map:synced(60))
    local lost = inspect.replicas(client)[1].lost
    assert(lost > 10)
    local data = inspect.diff(map)
    assert.same({ lost, 0, 0 }, { #data.only_here, #data.differ, #data.only_there })
    for _, one in ipairs(data.only_here) do assert.equal("lost by its node", one.reason) end
    assert.truthy(run(".diff %s"):find(("\n  %d more\n"):format(lost - 10), 1, true))
    assert.truthy(run(".replicas"):find((" +%d +0 +[%%d,]+\n  equal to"):format(lost)))
  end)
end, { "sim://3", "sim://3?dialect=0.11" })

clusters.on_each(env, "the prompt and a name that no disk storage takes", function(shared, it)
  it("says so at once, and why the replica has nothing", function()
    local client = shared:started()
    local out = {}
    local session = session_module.new { write = function(text) out[#out + 1] = text end, environment = _G, width = function() return 200 end }
    session.client = client
    for _, line in ipairs { ".replicate 'bad name'", ".read 'bad name' k", ".records 'bad name' '' cluster", ".diff 'bad name'" } do
      out = {}
      assert.is_false(session:run(line), line)
      local text = table.concat(out)
      assert.truthy(text:find("UNSUPPORTED: map 'bad name': ", 1, true), text)
    end
    out = {}
    session:run ".replicas"
    assert.truthy(table.concat(out):find("\n  UNSUPPORTED: map 'bad name': a v2 server newer than 2.2.0 with disk storage holds no map of this name", 1, true), table.concat(out))
    local ok, err = client:map "bad name":synced(60)
    assert.same({ nil, "UNSUPPORTED", false }, { ok, err.code, err.retriable or false })
    session:close()
  end)
end, { "sim://3?release=head" })
