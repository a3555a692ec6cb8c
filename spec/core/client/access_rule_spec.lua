--- What an access rule of the real server denies: a write is rejected by name, in the server's words,
--- and nothing else waits for it; a read is not answered.
local clusters = require "spec.support.cluster"
local ffi = require "ffi"
local http = require "spec.support.http"

ffi.cdef "int setenv(const char *name, const char *value, int overwrite);"

local NAME, PASSWORD = "admin", "adminadmin"
-- Servers that are started later have it from here.
ffi.C.setenv("TOPGUN_ADMIN_USERNAME", NAME, 1)
ffi.C.setenv("TOPGUN_ADMIN_PASSWORD", PASSWORD, 1)

--- All may be read and written, but for the maps `secret` and `hidden`.
local RULES = {
  { id = "a", mapPattern = "*", effect = "allow", action = "write" },
  { id = "b", mapPattern = "*", effect = "allow", action = "read" },
  { id = "c", mapPattern = "secret", effect = "deny", action = "write" },
  { id = "d", mapPattern = "hidden", effect = "deny", action = "read" },
}

local function make_rules(shared)
  for _, node in ipairs(shared.cluster.nodes) do
    local _, login = http.post(node.port, "/api/auth/login", { username = NAME, password = PASSWORD })
    for _, rule in ipairs(RULES) do
      local status = http.post(node.port, "/api/admin/policies", rule, login.token)
      assert(status < 300, node.id .. " answered the rule with status " .. status)
    end
  end
end

clusters.on_each(getfenv(), "a write that an access rule denies", function(shared, it)
  it("is rejected by name, and the others of its batch are stored", function()
    make_rules(shared)
    local client = shared:started { circuit = "never" }
    local rejected, acked = {}, 0
    client:on("op_rejected", function(err) rejected[#rejected + 1] = err end)
    local good, denied = client:map "good", client:map "secret"
    local function on_ack(ok) if ok then acked = acked + 1 end end
    for i = 1, 300 do
      assert(good:set("good" .. i, i, { on_ack = on_ack }))
      if i % 30 == 0 then assert(denied:set("denied" .. i, i, { on_ack = on_ack })) end
    end
    local ok, err = client:drain(60)
    assert.is_nil(ok)
    assert.equal("REJECTED", err.code)
    assert.same({ 10, 300, 0 }, { #rejected, acked, client:pending_ops() })
    for _, reported in ipairs(rejected) do
      assert.equal("REJECTED", reported.code)
      assert.equal("write access denied for map: secret", reported.reason)
    end
    local stored = 0
    for _ in pairs(shared:values(client, "good")) do stored = stored + 1 end
    assert.equal(300, stored)
    assert.equal(0, client:stats().overloads)
  end)

  it("holds nobody up who writes on", function()
    local client = shared:started { circuit = "never" }
    local acked, rejected = 0, 0
    client:on("op_rejected", function() rejected = rejected + 1 end)
    local good, denied = client:map "good", client:map "secret"
    for round = 1, 20 do
      for i = 1, 30 do
        assert(good:set("good" .. i, round * 100 + i, { on_ack = function(ok) if ok then acked = acked + 1 end end }))
      end
      assert(denied:set("denied" .. round, round))
      client:drain(60)
      assert.same({ round, round * 30 }, { rejected, acked })
    end
    local values = shared:values(client, "good")
    for i = 1, 30 do assert.equal(2000 + i, values["good" .. i]) end
  end)
end, { "topgun://1", "topgun://3" })

clusters.on_each(getfenv(), "map:read where an access rule denies it", function(shared, it)
  it("ends with TIMEOUT, which names the rule as a cause, because the server does not answer", function()
    make_rules(shared)
    local client = shared:started()
    for _, name in ipairs { "good", "hidden" } do assert(client:map(name):set("ann", 1)) end
    assert(client:drain(60))
    assert.equal(1, (client:map("good"):read("ann", { timeout = 60 })))
    local value, err = client:map("hidden"):read("ann", { timeout = 0.2 })
    assert.same({ nil, "TIMEOUT" }, { value, err.code })
    assert.truthy(err.message:find("does not answer when it denies the token the map", 1, true), err.message)
  end)
end, { "topgun://1" })
