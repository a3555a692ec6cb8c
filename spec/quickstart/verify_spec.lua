package.path = "scripts/?.lua;" .. package.path
local verify = require "quickstart.verify"

-- A client of three nodes, of which n1 owns the partition of every key and n3 none at all.
local function client_of(holdings)
  return {
    partition_map = function() return { partition_count = 2, owners = { "n1", "n2" } } end,
    partition_of = function() return 0 end,
    connected_nodes = function() return { "n1", "n2", "n3" } end,
    holdings = function(_, id) return holdings[id] or {} end,
  }
end

local function record(value) return { value = value, timestamp = { millis = 1, counter = 0, nodeId = "w" } } end

describe("What the quickstart reads back", function()
  it("counts no key for a node that owns none, however few there are", function()
    local back = assert(verify.read_back(client_of { n1 = { a = record(1) }, n2 = { a = record(1) } }, "m", { { key = "a", value = 1 } }))
    assert.same({
      { id = "n1", owned = 1, keys = 1, held = 1, at_owner = 1 },
      { id = "n2", owned = 1, keys = 0, held = 1, at_owner = 0 },
      { id = "n3", owned = 0, keys = 0, held = 0, at_owner = 0 },
    }, back.nodes)
    assert.same({ 1, {}, {} }, { back.verified, back.missing, back.wrong })
  end)

  it("names what is missing and what has another value", function()
    local back = assert(verify.read_back(client_of { n1 = { a = record(2) } }, "m", { { key = "a", value = 1 }, { key = "b", value = 1 } }))
    assert.same({ 0, { "b" }, { "a" } }, { back.verified, back.missing, back.wrong })
  end)
end)
