local routing = require "wingman.policy.routing"

local function view_of(...)
  local ids, usable = { ... }, {}
  for _, id in ipairs(ids) do usable[id] = true end
  return { usable = function(_, id) return usable[id] == true end, nodes = function() return ids end }
end

local partition = { id = 7, owner = "b", backups = { "c", "a" } }
local orphan = { id = 8, owner = nil, backups = {} }

describe("routing policy", function()
  it("direct sends to the owner and holds without it", function()
    assert.equal("b", routing.direct(partition, view_of("a", "b", "c")))
    assert.is_nil(routing.direct(partition, view_of("a", "c")))
    assert.is_nil(routing.direct(orphan, view_of "a"))
  end)

  it("backup prefers the owner, then backups in order", function()
    assert.equal("b", routing.backup(partition, view_of("a", "b", "c")))
    assert.equal("c", routing.backup(partition, view_of("a", "c")))
    assert.equal("a", routing.backup(partition, view_of("a", "d")))
    assert.is_nil(routing.backup(partition, view_of "d"))
  end)

  it("forward sends everything to one node", function()
    assert.equal("a", routing.forward(partition, view_of("a", "b")))
    assert.is_nil(routing.forward(partition, view_of()))
  end)

  it("direct_or_any takes whoever is there when all else fails", function()
    assert.equal("b", routing.direct_or_any(partition, view_of("a", "b")))
    assert.equal("c", routing.direct_or_any(partition, view_of("a", "c")))
    assert.equal("d", routing.direct_or_any(partition, view_of "d"))
    assert.equal("d", routing.direct_or_any(orphan, view_of "d"))
  end)
end)
