--- Which faults come when.
package.path = "scripts/?.lua;" .. package.path
local faults = require "chaos.faults"
local nemesis = require "chaos.nemesis"
local random = require "chaos.random"

describe("chaos", function()
  it("has a plan that follows from its seed", function()
    local function plan(seed)
      return nemesis.describe(nemesis.plan(faults.simulated, { rounds = 5, first = 0, nodes = 3 }, random.new(seed)))
    end
    assert.equal(plan(5), plan(5))
    assert.is_true(plan(5) ~= plan(6))
  end)
end)
