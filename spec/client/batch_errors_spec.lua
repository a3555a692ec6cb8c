--- Errors that answer a batch: it is sent again, and nothing is lost.
local clusters = require "spec.support.cluster"

local function set_all(map, count, value)
  for i = 1, count do assert(map:set("key-" .. i, value or i)) end
end

describe("client, refused by a batch error,", function()
  local names = { v2 = { "NOT_OWNER", "STALE_MAP", "500", "429" }, ["0.11"] = { "NOT_OWNER", "STALE_MAP", "500", "429" } }
  for _, dialect in ipairs { "v2", "0.11" } do
    clusters.on_each(getfenv(), "recovers", function(shared, it)
      for _, name in ipairs(names[dialect]) do
        it("from " .. name, function()
          local client = shared:started { batch = { ack_timeout = 0.3 } }
          assert(shared.cluster:fault("all", "error", name, 2))
          local map_name = shared:map_name()
          set_all(client:map(map_name), 300)
          assert(client:drain(60))
          local found = 0
          for _ in pairs(assert(client:query(map_name))) do found = found + 1 end
          assert.equal(300, found)
        end)
      end
    end, { "sim://3?dialect=" .. dialect })
  end
end)
