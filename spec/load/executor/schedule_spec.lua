--- The plan of an open model: exact in number, and split exactly.
local schedule = require "wingman.load.executor.schedule"

local WHOLE = { index = 0, count = 1 }

local function times(plan)
  local list = {}
  while plan.next_us < math.huge do list[#list + 1] = plan:take(plan.next_us) end
  return list
end

describe("a schedule", function()
  it("has rate times duration arrivals, evenly apart", function()
    local list = times(schedule.new(1e6, { { seconds = 2, from = 1000, to = 1000 } }, WHOLE))
    assert.equal(2000, #list)
    for i, at in ipairs(list) do assert.near(1e6 + (i - 1) * 1000, at, 1e-3) end
  end)

  it("gives nothing before it is due", function()
    local plan = schedule.new(0, { { seconds = 1, from = 10, to = 10 } }, WHOLE)
    assert.equal(0, plan:take(0))
    assert.is_nil(plan:take(99999))
    assert.near(100000, plan:take(100000), 1e-6)
  end)

  it("follows a ramp: the integral of the rate", function()
    -- 0 -> 100/s in 2 s: 100 arrivals, arrival k at sqrt(k / 25) s; then 1 s of 100/s.
    local list = times(schedule.new(0, { { seconds = 2, from = 0, to = 100 }, { seconds = 1, from = 100, to = 100 } }, WHOLE))
    assert.equal(200, #list)
    for k = 0, 99 do assert.near(math.sqrt(k / 25) * 1e6, list[k + 1], 1) end
    for k = 100, 199 do assert.near(2e6 + (k - 100) * 1e4, list[k + 1], 1) end
  end)

  it("goes down a ramp and through a stage of nothing", function()
    local list = times(schedule.new(0, {
      { seconds = 1, from = 100, to = 0 }, { seconds = 1, from = 0, to = 0 }, { seconds = 1, from = 50, to = 50 },
    }, WHOLE))
    assert.equal(100, #list)
    for i = 2, #list do assert.is_true(list[i] >= list[i - 1]) end
    assert.is_true(list[50] < 1e6)
    assert.near(2e6, list[51], 1)
  end)

  it("is split among shards so that together they are the whole", function()
    local seed = os.time()
    print(("schedule: seed %d"):format(seed))
    math.randomseed(seed)
    for _ = 1, 50 do
      local stages = {}
      for i = 1, math.random(1, 4) do
        stages[i] = { seconds = math.random(1, 40) / 10, from = math.random(0, 300), to = math.random(0, 300) }
      end
      local whole = times(schedule.new(0, stages, WHOLE))
      local count = math.random(1, 7)
      local joined, planned = {}, 0
      for index = 0, count - 1 do
        local part = schedule.new(0, stages, { index = index, count = count })
        planned = planned + part:total()
        for _, at in ipairs(times(part)) do joined[#joined + 1] = at end
      end
      table.sort(joined)
      assert.equal(#whole, #joined)
      assert.equal(#whole, planned)
      for i, at in ipairs(whole) do assert.near(at, joined[i], 1e-3) end
    end
  end)

  it("goes on at another rate until its end", function()
    local plan = schedule.new(0, { { seconds = 4, from = 10, to = 10 } }, WHOLE)
    for _ = 1, 10 do plan:take(1e6) end
    plan:set_rate(100, 1e6)
    assert.equal(100, plan:rate_at(2e6))
    local list = times(plan)
    assert.equal(300, #list)
    assert.near(1e6, list[1], 1)
    assert.is_true(list[300] < 4e6)
  end)

  it("keeps what is due at another rate, and adds nothing however often that is set", function()
    local plan = schedule.new(0, { { seconds = 2, from = 0, to = 100 }, { seconds = 2, from = 100, to = 100 } }, WHOLE)
    for _ = 1, 10 do plan:take(1e6) end
    plan:set_rate(0, 1e6) -- 25 have come due
    for _ = 1, 15 do assert.is_true(plan:take(1e6) <= 1e6) end
    assert.equal(math.huge, plan.next_us)
    for i = 0, 99 do plan:set_rate(i % 2 * 20, 1e6 + i * 1e4) end -- for half a second in all
    plan:set_rate(10, 2e6)
    local list = times(plan)
    assert.equal(10 + 20, #list)
    for i = 2, #list do assert.is_true(list[i] >= list[i - 1]) end
    assert.near(2e6, list[11], 1)
  end)

  it("tells how many of each shard's arrivals are left when they are given up", function()
    local left = 0
    for index = 0, 2 do
      local plan = schedule.new(0, { { seconds = 1, from = 100, to = 100 } }, { index = index, count = 3 })
      for _ = 1, 5 do plan:take(1e6) end
      left = left + plan:drop_rest()
      assert.is_nil(plan:take(1e9))
      assert.equal(0, plan:drop_rest())
    end
    assert.equal(100 - 15, left)
  end)

  it("comes later after a pause", function()
    local plan = schedule.new(0, { { seconds = 1, from = 10, to = 10 } }, WHOLE)
    plan:take(0)
    plan:shift(5e6)
    assert.is_nil(plan:take(4e6))
    local list = times(plan)
    assert.equal(9, #list)
    assert.near(5.1e6, list[1], 1)
    assert.equal(6e6, plan.ends_us)
  end)
end)
