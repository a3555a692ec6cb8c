--- client:supports, against what the servers do.
local abilities = require "wingman.client.health.abilities"
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local wingman = require "wingman"

local RELEASES = { "0.11", "2.2.0", "head" }

describe("client:supports", function()
  it("has an answer for each release, and a reason where it is no", function()
    for name, ability in pairs(abilities.list) do
      assert.is_string(ability.about)
      for _, release in ipairs(RELEASES) do
        for _, nodes in ipairs { 1, 3 } do
          local has, why = abilities.has(name, release, nodes)
          assert.is_true(has or (why:find(name, 1, true) and why:find(abilities.titles[release], 1, true)) ~= nil, name .. release)
        end
      end
    end
  end)

  it("raises for what it does not know, and says no while no node is connected", function()
    local client = wingman.client { server = "ws://127.0.0.1:1" }
    finally(function() client:close() end)
    assert.same({ false, "no node is connected" }, { client:supports "backups" })
    local ok, err = pcall(function() local _ = client:supports "backup" end)
    assert.is_false(ok)
    assert.truthy(err:find("abilities_spec.lua:%d+: client:supports: there is no 'backup'; did you mean 'backups'%?"), err)
  end)
end)

clusters.on_each(getfenv(), "client:supports", function(shared, it)
  local name, client, key

  before_each(function()
    name, client = shared:map_name(), shared:started()
    eventually("the version of each node is known", function() return client:release() ~= "unknown" and #client:connected_nodes() == 3 end)
    key = clusters.keys_of(client, "node-1", 1)[1]
    assert(client:map(name):set(key, 1))
    assert(client:drain(60))
  end)

  -- Where a key is, as a set of node ids; of values, or of marks of a removal.
  local function holders(is_removed)
    local found = {}
    for _, id in ipairs(client:connected_nodes()) do
      local record = assert(client:holdings(id, name))[key]
      if record and (record.value == core.null) == is_removed then found[#found + 1] = id end
    end
    return found
  end

  it("says whether a record has a backup", function()
    local has, why = client:supports "backups"
    assert.equal(shared.is_0_11, has, why)
    if has then eventually("a second node has the record", function() return #holders(false) > 1, holders(false) end)
    else assert.same({ "node-1" }, holders(false)) end
  end)

  it("says whether a removal leaves a mark", function()
    assert(client:map(name):remove(key))
    assert(client:drain(60))
    assert.equal(client:supports "tombstones", #holders(true) > 0)
  end)

  it("says whether a restart keeps records, with the family and version that does not", function()
    local has, why = client:supports "restarts"
    assert.equal(shared:keeps_records() and not shared.is_0_11, has)
    if not has then assert.truthy(why:find(abilities.titles[client:release()], 1, true), why) end
  end)
end, { "sim://3", "sim://3?dialect=0.11", "sim://3?release=head", "topgun://3" })
