--- Live queries: what they show, what they tell, and what that costs.
local checker = require "spec.support.live_checker"
local clusters = require "spec.support.cluster"
local loop = require "wingman.loop"
local wingman = require "wingman"

local function keys_of(rows)
  local keys = {}
  for i, row in ipairs(rows) do keys[i] = row.key end
  return table.concat(keys, " ")
end

-- What is told, as texts.
local function told_by(live)
  local told = {}
  live:on("row", function(key, value, change, index)
    told[#told + 1] = ("%s %s at %d%s"):format(key, change, index, value and ": " .. tostring(value.n) or "")
  end)
  live:on("reset", function() told[#told + 1] = "reset" end)
  return told
end

describe("a live query of a client that has not started", function()
  local client, map, log

  before_each(function()
    log = {}
    client = assert(wingman.client { server = "ws://127.0.0.1:1", oplog = { max_ops = 100000 },
      log_to = function(_, event, fields) log[#log + 1] = { event = event, fields = fields } end })
    map = client:map "m"
  end)
  after_each(function() client:close() end)

  local function set(key, n) assert(map:set(key, { n = n, text = "of " .. key })) end

  -- One step of a host whose budget is used up: one thing of each kind is done.
  local function slow_step() return client:drain_events(loop.now() - 1) end

  it("shows own writes at once, and tells each key once, with its final value", function()
    set("a", 1)
    local live = client:live_query("m", { sort = "n desc" })
    local told = told_by(live)
    set("b", 2)
    set("c", 3)
    set("c", 0)
    map:remove "a"
    assert.equal("b c", keys_of(live:rows()))
    assert.equal(2, live:size())
    assert.same({}, told)
    client:drain_events()
    table.sort(told)
    assert.same({ "b enter at 1: 2", "c enter at 1: 0" }, told)
    assert.equal("b c", keys_of(live:rows()))
    set("c", 0)
    client:drain_events()
    assert.equal(2, #told)
  end)

  it("lets the next row into the window when one leaves, and tells both once", function()
    for i = 1, 9 do set("k" .. i, i) end
    local live = client:live_query("m", { where = { n = { lt = 9 } }, sort = "n desc", limit = 3, offset = 1 })
    client:drain_events()
    assert.equal("k7 k6 k5", keys_of(live:rows()))
    local told = told_by(live)
    map:remove "k6"
    assert.equal("k7 k5 k4", keys_of(live:rows()))
    client:drain_events()
    assert.same({ "k6 leave at 2", "k4 enter at 3: 4" }, told)
    set("k5", 7.5) -- moves within the window
    client:drain_events()
    assert.same("k5 update at 1: 7.5", told[3])
    set("k8", 100) -- it was in front of the window, and matches no more
    client:drain_events()
    assert.same({ "k5 leave at 1", "k3 enter at 3: 3" }, { told[4], told[5] })
    set("k1", 0) -- behind it
    set("k9", 200)
    client:drain_events()
    assert.equal(5, #told)
    assert.equal("k7 k4 k3", keys_of(live:rows()))
  end)

  it("has rows that a script may change, and tells nothing of fields that are not selected", function()
    set("a", 1)
    local live = client:live_query("m", { select = { "n" } })
    client:drain_events()
    local told = told_by(live)
    live:rows()[1].value.n = 50
    assert.same({ { key = "a", value = { n = 1 } } }, { unpack(live:rows()) })
    assert(map:set("a", { n = 1, text = "another" }))
    client:drain_events()
    assert.same({}, told)
    set("a", 2)
    client:drain_events()
    assert.same({ "a update at 1: 2" }, told)
  end)

  it("goes on after an error of a listener, which is logged", function()
    local live = client:live_query "m"
    local told = 0
    live:on("row", function() error "of the script" end)
    live:on("row", function() told = told + 1 end)
    set("a", 1)
    set("b", 2)
    client:drain_events()
    assert.equal(2, told)
    assert.equal(1, #log)
    assert.equal("callback_failed", log[1].event)
    assert.truthy(log[1].fields.callback:find("row of a live query of 'm'", 1, true))
  end)

  it("raises where one of its functions would wait for itself", function()
    local live = client:live_query "m"
    live:on("row", function() live:synced(60) end)
    set("a", 1)
    client:drain_events()
    assert.equal("callback_failed", log[1].event)
    assert.truthy(log[1].fields.error:find("live_query_spec.lua:%d+: live:synced: .* use wingman.spawn"), log[1].fields.error)
  end)

  it("is told in parts to a host whose steps are short, each key once, and ends with the same rows", function()
    for i = 1, 60 do set("k" .. i, i) end
    local windows = {}
    for _, query in ipairs { { sort = "n" }, { sort = "n desc", limit = 7 }, { sort = "n", limit = 5, offset = 4 } } do
      local live = client:live_query("m", query)
      windows[#windows + 1] = { live = live, replay = checker.replay(live) }
    end
    for _ = 1, 10 do slow_step() end
    for i = 1, 60 do set("k" .. i, (i * 37) % 60) end
    local before = windows[1].replay.told
    slow_step()
    assert.is_true(windows[1].replay.told - before <= 2, windows[1].replay.told - before)
    for i = 61, 70 do set("k" .. i, i - 61) end
    map:remove "k3"
    local steps = 0
    while slow_step() do steps = steps + 1 end
    assert.is_true(steps > 50, steps)
    for _, window in ipairs(windows) do
      assert.is_nil(window.replay.wrong)
      assert.is_nil(checker.difference(window.replay.list, window.live:rows()))
    end
    assert.equal(69, windows[1].live:size())
    assert.equal(0, windows[1].live:status().behind)
  end)

  it("tells of more than 10,000 rows by a reset", function()
    for i = 1, 10001 do set("k" .. i, i) end
    local all, ten = client:live_query "m", client:live_query("m", { sort = "n", limit = 10 })
    local told, told_of_ten = told_by(all), told_by(ten)
    client:drain_events()
    assert.same({ "reset" }, told)
    assert.equal(10001, all:size())
    assert.equal(10, #told_of_ten)
    for i = 1, 10001 do set("k" .. i, -i) end
    client:drain_events()
    assert.same({ "reset", "reset" }, told)
    assert.equal("k10001", ten:rows()[1].key)
    set("k1", 5)
    client:drain_events()
    assert.equal("k1 update at 1: 5", told[3])
  end)

  it("costs a change of what does not match nothing, and one of the window no sorting", function()
    for i = 1, 20000 do set("k" .. i, i) end
    local live = client:live_query("m", { where = { n = { gt = 0 } }, sort = "n desc", limit = 10 })
    client:drain_events()
    local compared, is_before = 0, live.ranking.is_before
    live.ranking.is_before = function(a, b)
      compared = compared + 1
      return is_before(a, b)
    end
    for i = 1, 1000 do set("other" .. i, -i) end
    client:drain_events()
    assert.equal(0, compared)
    for i = 1, 1000 do set("k" .. i, 20000 + i) end
    client:drain_events()
    assert.is_true(compared < 1000 * 40, compared) -- two searches among 20,000
    assert.equal("k1000", live:rows()[1].key)
  end)

  it("ends the replica that only live queries wanted, with the last of them", function()
    local first, second = client:live_query "m", client:live_query "m"
    first:close()
    first:close()
    assert.is_table(map.copy)
    second:close()
    assert.is_nil(map.copy)
    assert.is_false(map.noting)
    local third = client:live_query "m"
    local copy = map:replicate()
    third:close()
    assert.equal(copy, map.copy)
    copy:close()
  end)

  it("leaves a set in its place that something else has given the map, below its own or above", function()
    local calls = 0
    local function counting(below)
      return function(...)
        calls = calls + 1
        return below(...)
      end
    end
    map.set = counting(map.set)
    local live = client:live_query "m"
    set("a", 1)
    live:close()
    set("b", 1)
    assert.equal(2, calls)
    live = client:live_query "m"
    map.set = counting(map.set)
    live:close()
    live = client:live_query "m"
    set("c", 1)
    assert.equal(4, calls)
    assert.equal("c", keys_of(live:rows())) -- own writes show before the copy was read
  end)

  it("is closed with its copy, keeps its last rows, and tells the state", function()
    local live, states = client:live_query "m", {}
    live:on("state", function(to) states[#states + 1] = to end)
    set("a", 1)
    client:drain_events()
    assert.equal("snapshot", live:status().state)
    map:replicate():close()
    assert.same({ "off" }, states)
    assert.is_true(live.closed)
    assert.equal("off", live:status().state)
    assert.equal("a", keys_of(live:rows()))
    assert.equal("CLOSED", select(2, live:synced(1)).code)
    set("b", 1)
    assert.equal(1, live:size())
  end)

  it("refuses a wrong option by name", function()
    for _, case in ipairs {
      { { limt = 3 }, "unknown option 'limt'; did you mean 'limit'?" }, { { source = "copy" }, "unknown option 'source'" },
      { { timeout = 3 }, "unknown option 'timeout'" }, { { select = {} }, "option select: a list of fields is expected" },
      { { select = { 1 } }, "option select: " }, { { select = { a = "b" } }, "option select: " }, { { where = { n = { x = 1 } } }, "unknown operator 'x'" },
    } do
      local ok, err = pcall(function() local _ = client:live_query("m", case[1]) end)
      assert.is_false(ok)
      assert.truthy(err:find("live_query_spec.lua:%d+: client:live_query: "), err)
      assert.truthy(err:find(case[2], 1, true), err)
    end
    local live = client:live_query "m"
    assert.error_matches(function() live:on("rows", function() end) end, "live:on: there is no event 'rows'")
  end)

  it("gives a query of the copy an error while the copy was never whole, and a mistake where there is none", function()
    local ok, err = pcall(function() local _ = client:query("m", { source = "copy" }) end)
    assert.is_false(ok)
    assert.truthy(err:find("live_query_spec.lua:%d+: client:query: the map 'm' has no replica to ask: call client:map%(\"m\"%):replicate%(%) first"), err)
    map:replicate()
    local rows, why = client:query("m", { source = "copy", timeout = 0.02 })
    assert.is_nil(rows)
    assert.equal("TIMEOUT", why.code)
    assert.error_matches(function() client:query("m", { source = "auto" }) end, "option source")
  end)
end)

clusters.on_each(getfenv(), "a live query", function(shared, it)
  it("begins on a replica that is there, hears of others' writes, and shows own writes before they are acknowledged", function()
    local name, writer, client = shared:map_name(), shared:started(), shared:started()
    for i = 1, 200 do assert(writer:map(name):set("k" .. i, { n = i })) end
    assert(writer:drain(30))
    local map = client:map(name)
    assert(map:synced(60))
    local live = client:live_query(name, { where = { n = { gt = 100 } }, sort = "n desc", limit = 4 })
    local replay = checker.replay(live)
    assert(live:synced(60))
    assert.equal("k200 k199 k198 k197", keys_of(live:rows()))
    assert.equal(100, live:status().matching)
    assert(writer:map(name):remove "k200")
    assert(writer:map(name):set("k1", { n = 500 }))
    assert(map:set("own", { n = 400 }))
    assert.equal("own", live:rows()[1].key)
    assert(writer:drain(30))
    assert(client:drain(30))
    assert(live:synced(60))
    assert.equal("k1 own k199 k198", keys_of(live:rows()))
    assert.is_nil(replay.wrong)
    assert.is_nil(checker.difference(replay.list, live:rows()))
    assert.equal("live", live:status().state)
  end)
end, { "sim://3", "sim://3?dialect=0.11", "topgun://3" })
