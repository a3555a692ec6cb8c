--- Waiting for one operation, by the seq that a write returned.
local clusters = require "spec.support.cluster"
local wingman = require "wingman"

-- Both functions refuse this seq at the caller's line.
local function assert_refused(client, seq, words)
  for _, name in ipairs { "wait", "settlement" } do
    local ok, err = pcall(function() local _ = client[name](client, seq) end)
    assert.is_false(ok, ("client:%s took %s"):format(name, tostring(seq)))
    assert.truthy(err:find("waits_spec.lua:%d+: client:" .. name .. ": "), err)
    assert.truthy(err:find(words, 1, true), err)
  end
end

describe("a seq", function()
  it("that no write of the client has is refused", function()
    local client = wingman.client { cluster = "sim://1" }
    finally(function() client:close() end)
    assert_refused(client, 1, "1 is no operation of this client")
    local seq = assert(client:map "m":set("a", 1))
    for _, other in ipairs { 12345, seq + 1, 0, -1, seq + 0.5, 2 ^ 60, 1 / 0, 0 / 0 } do
      assert_refused(client, other, ("%s is no operation of this client"):format(other))
    end
    for _, other in ipairs { "1", {}, true } do
      assert_refused(client, other, "a number is expected, as set or remove returned it, got " .. type(other))
    end
    assert_refused(client, nil, "got nil")
    assert.equal("TIMEOUT", select(2, client:wait(seq, 0)).code)
  end)
end)

clusters.on_each(getfenv(), "a seq", function(shared, it)
  it("of an earlier client with the same op log's file is known", function()
    local path = os.tmpname()
    os.remove(path)
    finally(function() os.remove(path) end)
    local name, last = shared:map_name(), nil
    local client = shared:started { oplog = { path = path } }
    for i = 1, 5 do last = assert(client:map(name):set("a", i)) end
    assert(client:drain(60))
    client:close()
    client = shared:started { oplog = { path = path } }
    assert.is_true(client:wait(last, 60))
    assert.is_true(client:wait(1, 60))
    assert_refused(client, last + 1, ("%d is no operation of this client"):format(last + 1))
    local seq = assert(client:map(name):set("a", 6))
    assert.is_true(seq > last, ("%d came after %d"):format(seq, last))
    assert.is_true(client:wait(seq, 60))
  end)
end)
