--- Changes that servers announce, in all the forms that MessagePack leaves them: what the
--- local copy has afterwards.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local sim_support = require "spec.core.sim.support"

local NIL, UNDEFINED = "\192", "\212\0\0"

local function str(text) return string.char(0xa0 + #text) .. text end

local function map(...) return string.char(0x80 + select("#", ...) / 2) .. table.concat { ... } end

-- The same with two bytes for the count, as 0.11 writes maps.
local function map16(...) return "\222\0" .. string.char(select("#", ...) / 2) .. table.concat { ... } end

clusters.on_each(getfenv(), "a change", function(shared, it)
  local client, name, heard, clock

  before_each(function()
    client, name, heard, clock = shared:started(), shared:map_name(), {}, 0
    client:map(name):on("change", function(key, value) heard[#heard + 1] = { key, value } end, { replicate = false })
  end)

  local function time()
    clock = clock + 1
    return map(str "millis", "\100", str "counter", string.char(clock), str "nodeId", str "other")
  end

  -- Sends payloads of SERVER_EVENTs and waits until they, and nothing after them, were read.
  local function send(...)
    local node = shared.cluster.nodes[1].id
    for _, payload in ipairs { ... } do
      local bytes = map(str "type", str "SERVER_EVENT", str "payload", payload)
      assert(shared.cluster:command(("send %s binary %s"):format(node, sim_support.hex(bytes))))
    end
    local timestamp = time()
    local last = map(str "type", str "SERVER_EVENT", str "payload", map(str "mapName", str(name), str "key", str "last",
      str "record", map(str "value", string.char(clock), str "timestamp", timestamp)))
    assert(shared.cluster:command(("send %s binary %s"):format(node, sim_support.hex(last))))
    eventually("the last change is heard of", function() return heard[#heard] and heard[#heard][1] == "last" end)
    heard[#heard] = nil
  end

  local function event(...) return map(str "mapName", str(name), str "key", str "k", ...) end

  local function get() return client:map(name):get "k" end

  it("is taken with its fields in any order, and with others", function()
    send(map(str "more", map(str "key", str "x"), str "record",
      map(str "timestamp", time(), str "more", "\145\1", str "value", map(str "n", "\1")), str "key", str "k",
      str "mapName", str(name)))
    assert.same({ n = 1 }, get())
    assert.same({ { "k", { n = 1 } } }, heard)
    assert.same({ millis = 100, counter = 1, node = "other", removed = false, state = "synced", holder = "node-1" }, client:map(name):record "k")
  end)

  it("is taken in the longer forms of lengths and numbers", function()
    local timestamp = map16("\217\6millis", "\203\64\89\0\0\0\0\0\0", str "counter", "\207\0\0\0\0\0\0\0\7", str "nodeId",
      "\218\0\5other")
    send(map16(str "mapName", str(name), str "key", "\217\1k", str "eventType", str "UPDATED", str "record",
      map16(str "value", map16(str "n", "\1", str "u", UNDEFINED), str "timestamp", timestamp)))
    assert.same({ n = 1 }, get())
    assert.same({ millis = 100, counter = 7, node = "other", removed = false, state = "synced", holder = "node-1" }, client:map(name):record "k")
  end)

  for what, value in pairs { ["that is nil"] = str "value" .. NIL, ["that is undefined"] = str "value" .. UNDEFINED } do
    it("with a value " .. what .. " removes", function()
      send(event(str "record", map(str "value", "\1", str "timestamp", time())),
        event(str "record", map(value, "", str "timestamp", time())))
      assert.is_nil(get())
      assert.same({ { "k", 1 }, { "k" } }, heard)
      assert.is_true(client:map(name):record "k".removed)
    end)
  end

  it("without a value removes", function()
    send(event(str "record", map(str "value", "\1", str "timestamp", time())), event(str "record", map(str "timestamp", time())))
    assert.is_nil(get())
  end)

  it("without a record removes when it says so, and does nothing else", function()
    send(event(str "record", map(str "value", "\1", str "timestamp", time())), event(str "eventType", str "PUT"),
      event(str "record", NIL))
    assert.equal(1, get())
    send(event(str "eventType", str "REMOVE", str "record", UNDEFINED))
    assert.is_nil(get())
    assert.same({ { "k", 1 }, { "k" } }, heard)
  end)

  it("that is older than the local copy is reported to nobody", function()
    local older = time()
    send(event(str "record", map(str "value", "\2", str "timestamp", time())),
      event(str "record", map(str "value", "\1", str "timestamp", older)))
    assert.equal(2, get())
    assert.same({ { "k", 2 } }, heard)
  end)

  it("with a field twice: the last counts", function()
    send(map(str "mapName", str(name), str "key", str "x", str "key", str "k", str "record", NIL, str "record",
      map(str "value", "\1", str "value", "\2", str "timestamp", time())))
    assert.equal(2, get())
    assert.is_nil(client:map(name):get "x")
  end)

  it("whose key comes as bytes is taken", function()
    send(map(str "mapName", str(name), str "key", "\196\1k", str "record", map(str "value", "\1", str "timestamp", time())))
    assert.equal(1, get())
  end)

  it("whose value Lua cannot have is refused, and the copy stays as it was", function()
    send(event(str "record", map(str "value", "\1", str "timestamp", time())),
      event(str "record", map(str "value", "\145\212\9\0", str "timestamp", time())))
    assert.equal(1, get())
    assert.equal(1, #shared:logged "message_not_read")
  end)

  it("says of what message it was when it is refused", function()
    send(core.encode { mapName = name, key = "k", record = 7 })
    assert.equal("SERVER_EVENT", shared:logged "message_refused"[1].type)
    local batch = core.encode { type = "SERVER_BATCH_EVENT", payload = { events = { { mapName = name, key = 7 } } } }
    assert(shared.cluster:command(("send %s binary %s"):format(shared.cluster.nodes[1].id, sim_support.hex(batch))))
    eventually("two messages are refused", function() return #shared:logged "message_refused" == 2, #shared:logged "message_refused" end)
    assert.equal("SERVER_BATCH_EVENT", shared:logged "message_refused"[2].type)
  end)
end, { "sim://3" })
