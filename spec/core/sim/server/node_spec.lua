--- What a node holds after it was started again: a simulated one as a real one of 2.2.0, which
--- has a database file and reads nothing of it.
local clusters = require "spec.support.cluster"
local raw = require "spec.support.raw_connections"

local RECORDS = 50

clusters.on_each(getfenv(), "a node that is started again", function(shared, it)
  local name

  before_each(function() name = shared:map_name() end)

  local function write(connection)
    local ops = {}
    for i = 1, RECORDS do ops[i] = raw.put(name, "key-" .. i, i) end
    connection:write(ops)
  end

  for order, how in pairs { kill = "after SIGKILL", stop_node = "after a shutdown in good order" } do
    it("holds nothing of what it had acknowledged, " .. how, function()
      local id = shared.cluster.nodes[1].id
      local before = raw.open(shared, 1)
      write(before)
      local root = before:root(name)
      assert.is_true(root ~= 0)
      assert.equal(RECORDS, #before:subscribe(name, {}).results)
      assert(shared.cluster[order](shared.cluster, id))
      assert(shared.cluster:restart(id))

      local after = raw.open(shared, 1)
      if shared:keeps_records() then
        assert.equal(root, after:root(name))
        return
      end
      assert.equal(0, after:root(name))
      assert.same({}, after:subscribe(name, {}).results)
      after:send { type = "MERKLE_REQ_BUCKET", payload = { mapName = name, path = "" } }
      after:settle()
      assert.equal(shared.is_0_11 and 1 or 0, #after:of_type "SYNC_RESP_BUCKETS") -- as for a map that was never written
    end)
  end

  it("takes writes again, and hears of no earlier subscription", function()
    local id = shared.cluster.nodes[1].id
    local before = raw.open(shared, 1)
    before:subscribe(name, {})
    assert(shared.cluster:kill(id))
    assert(shared.cluster:restart(id))
    local writer, other = raw.open(shared, 2)
    write(writer)
    other:settle()
    assert.equal(0, #other:of_type "SERVER_EVENT")
    assert.equal(RECORDS, #other:subscribe(name, {}).results)
    assert.is_true(writer:root(name) ~= 0)
  end)
end, { "sim://1", "sim://1?release=head", "sim://1?dialect=0.11", "topgun://1" })
