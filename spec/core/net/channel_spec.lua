--- A v2 server does not set TCP_NODELAY: it holds back a small message until the last one is
--- acknowledged, which the kernel does after 40 ms unless it is asked to do it at once.
local clusters = require "spec.support.cluster"
local loop = require "wingman.loop"

local ROUNDS = 31
-- Half of the shortest delay of an acknowledgement on Linux.
local HALF_A_DELAY_S = 0.02

local function median(times)
  table.sort(times)
  return times[math.ceil(#times / 2)]
end

clusters.on_each(getfenv(), "a channel", function(shared, it)
  after_each(function()
    if not shared.is_real then assert(shared.cluster:fault("all", "none")) end
  end)

  it("acknowledges at once: the answer to a second batch is not held back", function()
    if not shared.is_real then
      assert(shared.cluster:fault("all", "nagle", true))
      assert(shared.cluster:fault("all", "reorder", true)) -- or both answers leave as one segment
    end
    local client = shared:started { batch = { ops = 1 } }
    local map = client:map(shared:map_name())
    local keys = clusters.keys_of(client, "node-1", 2)
    local function round_trip(count)
      local began, sent = loop.now(), {}
      for i = 1, count do sent[i] = assert(map:set(keys[i], { began = began })) end
      for i = 1, count do assert(client:wait(sent[i], 60)) end
      return loop.now() - began
    end
    local one, two = {}, {}
    for round = 1, ROUNDS do
      one[round], two[round] = round_trip(1), round_trip(2)
    end
    local alone, both = median(one), median(two)
    assert(both - alone < HALF_A_DELAY_S,
      ("one batch takes %.1f ms, two that are in flight together %.1f ms"):format(alone * 1e3, both * 1e3))
  end)
end)
