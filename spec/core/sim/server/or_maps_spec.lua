--- What v2 servers answer about the records of OR-maps: the simulated one as the real one.
local clusters = require "spec.support.cluster"
local msgpack = require "wingman.base.msgpack"
local raw = require "spec.support.raw_connections"

clusters.on_each(getfenv(), "a question about keys of an OR-map", function(shared, it)
  it("is answered key by key, also for a map that nobody wrote and for keys of other maps", function()
    local name, connection = shared:map_name(), raw.open(shared, 1)
    connection:write { raw.put(name, "ann", 1) }
    for i, case in ipairs { { name, {} }, { name, { "ann", "bob" } }, { shared:map_name(), { "ann" } } } do
      local map, keys = case[1], case[2]
      connection:send { type = "ORMAP_DIFF_REQUEST", payload = { mapName = map, keys = msgpack.array { unpack(keys) } } }
      connection:await("answer " .. i, function() return connection:of_type("ORMAP_DIFF_RESPONSE")[i] end)
      local answer = connection:of_type("ORMAP_DIFF_RESPONSE")[i]
      assert.equal(map, answer.mapName)
      local entries = {}
      for k, key in ipairs(keys) do entries[k] = { key = key, records = {}, tombstones = {} } end
      assert.same(entries, answer.entries)
      assert.equal(shared:keeps_records(), answer.coveringEpoch ~= nil) -- what the newest server with disk storage is known by
    end
  end)
end, { "sim://1", "sim://1?release=head", "topgun://1" })
