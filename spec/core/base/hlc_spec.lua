local core = require "wingman.core"
local support = require "spec.core.support"

describe("hlc", function()
  local vectors = support.vectors "hlc.json"

  --- One step of a sequence against the clock.
  local function play(clock, step, options, name)
    local wall_ms = step.clock
    if step.action == "now" then
      local millis, counter = clock:now(wall_ms)
      assert.equal(step.result.millis, millis, name)
      assert.equal(step.result.counter, counter, name)
      return
    end
    assert.equal("update", step.action)
    local remote = step.remote
    local accepted
    if options.strictMode then
      accepted = clock:update_strict(wall_ms, remote.millis, remote.counter, options.maxDriftMs)
      assert.equal(step.error == nil, accepted, name)
    else
      accepted = clock:update(wall_ms, remote.millis, remote.counter)
      assert.equal(remote.millis - wall_ms <= 60000, accepted, name)
    end
    local millis, counter = clock:time()
    assert.equal(step.state.millis, millis, name)
    assert.equal(step.state.counter, counter, name)
  end

  it("goes through every sequence as the reference does", function()
    local steps = 0
    for _, sequence in ipairs(vectors.sequences) do
      local clock = core.hlc()
      for i, step in ipairs(sequence.steps) do
        play(clock, step, sequence.options, sequence.name .. ", step " .. i)
        steps = steps + 1
      end
    end
    assert.equal(12, #vectors.sequences)
    assert.equal(294, steps)
  end)

  it("orders timestamps as the reference does", function()
    for _, case in ipairs(vectors.compare) do
      assert.equal(case.order, core.timestamp_compare(case.a, case.b))
      assert.equal(-case.order, core.timestamp_compare(case.b, case.a) + 0)
    end
    assert.equal(6, #vectors.compare)
  end)

  it("orders node ids by their bytes, as the v2 server", function()
    local same = 0
    for _, case in ipairs(vectors.nodeIds) do
      local a = { millis = 1, counter = 0, nodeId = case.a }
      local b = { millis = 1, counter = 0, nodeId = case.b }
      assert.equal(case.bytewise, core.timestamp_compare(a, b), case.a .. " against " .. case.b)
      if case.same then same = same + 1 end
    end
    assert.equal(268, #vectors.nodeIds)
    assert.is_true(same > 0 and same < 268)
  end)

  it("writes the text form", function()
    for _, case in ipairs(vectors.toString) do
      assert.equal(case.string, core.timestamp_format(case.ts))
    end
    assert.equal(3, #vectors.toString)
  end)

  it("reads the text form, and only that", function()
    -- The reference reads these with parseInt: signs, blanks, fractions, and
    -- letters, which become NaN. Nobody writes them.
    local lax = { ["x:y:z"] = true, ["1.9:2.9:a"] = true, ["-1:-2:a"] = true, [" 1:2:a"] = true }
    local seen = 0
    for _, case in ipairs(vectors.parse) do
      local t, err = core.timestamp_parse(case.string)
      if case.error or lax[case.string] then
        assert.is_nil(t, case.string)
        assert.is_string(err)
      else
        assert.same({ case.ts.millis, case.ts.counter, case.ts.nodeId }, { t.millis, t.counter, t.nodeId })
      end
      seen = seen + 1
    end
    assert.equal(10, seen)
    assert.is_nil(core.timestamp_parse "18446744073709551616:0:a")
    assert.is_nil(core.timestamp_parse "1:18446744073709551616:a")
    assert.is_nil(core.timestamp_parse ":1:a")
    assert.is_nil(core.timestamp_parse "1::a")
  end)

  it("does not go backwards, whatever comes (seed " .. support.seed .. ")", function()
    math.randomseed(support.seed)
    for _ = 1, 50 do
      local clock = core.hlc()
      local before = { millis = 0, counter = 0, nodeId = "a" }
      for _ = 1, 200 do
        local wall_ms = math.random(0, 50)
        if math.random(2) == 1 then
          clock:now(wall_ms)
        else
          clock:update(wall_ms, math.random(0, 60), math.random(0, 5))
        end
        local millis, counter = clock:time()
        local after = { millis = millis, counter = counter, nodeId = "a" }
        assert.equal(1, core.timestamp_compare(after, before))
        before = after
      end
    end
  end)

  it("runs over into the milliseconds before a counter loses its exactness", function()
    local clock = core.hlc()
    assert.is_true(clock:update(10, 10, 2 ^ 53 - 2))
    assert.same({ 10, 2 ^ 53 - 1 }, { clock:time() })
    assert.same({ 11, 0 }, { clock:now(10) })
    assert.is_true(clock:update(11, 11, 2 ^ 53 - 1))
    assert.same({ 12, 0 }, { clock:time() })
  end)

  it("never merges a time that no clock can hold", function()
    local clock = core.hlc()
    clock:now(5)
    for _, bad in ipairs { 2 ^ 53 - 1, 2 ^ 53, 2 ^ 64, 1 / 0, 0 / 0, -1, 1.5 } do
      assert.is_false(clock:update(5, bad, 0))
      assert.is_false(clock:update_strict(5, bad, 0))
    end
    for _, bad in ipairs { 2 ^ 53, 1 / 0, 0 / 0, -1, 0.5 } do
      assert.is_false(clock:update(5, 6, bad))
    end
    assert.same({ 5, 0 }, { clock:time() })
    assert.is_false(clock:update(5, 2 ^ 53 - 2, 0))
    assert.same({ 2 ^ 53 - 2, 1 }, { clock:time() })
  end)

  it("refuses wrong arguments by name", function()
    local clock = core.hlc()
    assert.has_error(function() clock:now(-1) end)
    assert.has_error(function() clock:now(0 / 0) end)
    assert.has_error(function() clock.now({}, 1) end)
    assert.has_error(function() core.timestamp_compare({}, {}) end)
    assert.has_error(function() core.timestamp_compare({ millis = 1, counter = "1", nodeId = "a" }, {}) end)
    assert.has_error(function() core.timestamp_format { millis = 1, counter = 1, nodeId = "a:b" } end)
  end)
end)
