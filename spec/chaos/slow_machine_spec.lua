--- A schedule on a machine that is too slow for the short timeouts of its clients: here each
--- byte is late by more than they allow.
package.path = "scripts/?.lua;" .. package.path
local expect_nothing_lost = require "spec.chaos.nothing_lost"
local faults = require "chaos.faults"
local proxy = require "chaos.proxy"
local schedule = require "chaos.schedule"
local targets = require "chaos.targets"

--- Seconds, each way.
local LATE = 0.45

describe("chaos on a slow machine:", function()
  it("its clients wait longer for answers, and lose nothing", function()
    local target = assert(targets.simulated "sim://3")
    target.proxies, target.urls, target.rounds = {}, {}, 1
    for i, node in ipairs(target.cluster.nodes) do
      local one = assert(proxy.start(node.url))
      one:set_delay(LATE)
      target.proxies[node.id], target.urls[i] = one, one.url
      finally(function() one:close() end)
    end
    target.catalog = { faults.simulated[1] }
    expect_nothing_lost(schedule.run(2, target))
  end)
end)
