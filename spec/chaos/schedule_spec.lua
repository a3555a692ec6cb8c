--- Random faults while four clients write, remove and read; then every node is read
--- back and checked against what the clients were answered. A failure prints its seed;
--- WINGMAN_SEED=N replays it, and so does `wingman run scripts/chaos.lua --seed N`.
package.path = "scripts/?.lua;" .. package.path
local build = require "spec.support.build"
local expect_nothing_lost = require "spec.chaos.nothing_lost"
local faults = require "chaos.faults"
local nemesis = require "chaos.nemesis"
local pool = require "chaos.pool"
local random = require "chaos.random"
local schedule = require "chaos.schedule"

-- With the sanitizers fewer at a time: clients that get no processor for long lose their connections.
local JOBS = build.is_sanitized and 3 or 6

local replayed = tonumber(os.getenv "WINGMAN_SEED")
-- An even number: then pairs of seeds, one for each dialect, begin with the same fault.
local first = replayed or math.floor(os.time() % 1000000 / 2) * 2

-- Each fault comes first, and alone, in one schedule, in the plain build or in that with sanitizers: by turns, so that
-- in four days it comes in both builds with both dialects.
local function seeds_of_turn()
  local list, turn = {}, math.floor(os.time() / 86400)
  for i = 1, #faults.simulated do
    if (i + turn + (build.is_sanitized and 1 or 0)) % 2 == 0 then
      list[#list + 1] = first + 2 * (i - 1) + math.floor((i + turn) / 2) % 2
    end
  end
  return list
end
local seeds = replayed and { replayed } or seeds_of_turn()

describe("chaos on the simulated cluster:", function()
  local schedules, taken

  -- Started by the first spec that waits; the others find their result there.
  local function result_of(seed)
    if not schedules then
      taken = 0
      schedules = pool.start(JOBS, function()
        taken = taken + 1
        return seeds[taken]
      end, schedule.runner())
    end
    return assert(schedules:result(seed))
  end

  for _, seed in ipairs(seeds) do
    it("no client loses anything, seed " .. seed, function()
      expect_nothing_lost(result_of(seed))
    end)
  end

  it("every fault of this build's turn came alone", function()
    if replayed then return end
    local alone, count = {}, 0
    for _, seed in ipairs(seeds) do
      local rounds = nemesis.plan(faults.simulated, { rounds = 1, first = schedule.of_seed(seed).first, nodes = 3 }, random.new(seed))
      assert.equal(1, #rounds[1].faults)
      local name = rounds[1].faults[1].fault.name
      count = count + (alone[name] and 0 or 1)
      alone[name] = true
    end
    assert.is_true(count >= math.floor(#faults.simulated / 2))
  end)
end)
