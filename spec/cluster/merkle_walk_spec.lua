--- wingman.cluster.merkle_walk against a node that answers anything: every walk ends, with
--- records or with nil and a reason; nothing is raised, and what it returns has the
--- form that its callers rely on.
local core = require "wingman.core"
local loop = require "wingman.loop"
local merkle_walk = require "wingman.cluster.merkle_walk"
local requests_module = require "wingman.cluster.requests"

local CONNECTION, MAP = 0, "m"

-- All that a walk finds, by key.
local function walk_records(requests, connection_id, map_name)
  local found = {}
  local ok, err = merkle_walk.each(requests, connection_id, map_name, function(key, record) found[key] = record end)
  if not ok then return nil, err end
  return found
end

--- Walks in which a random node answers, and the seed of the first.
local ROUNDS, SEED = 3000, 20240607

-- A node in this process: what `answer(type, path)` gives comes back through the
-- decoder, as if it had been received, in a later turn of the loop.
local function requests_of(answer)
  local requests
  local host = { asked = 0 }
  requests = requests_module.new {
    send = function(_, connection_id, bytes)
      host.asked = host.asked + 1
      local question = assert(core.decode(bytes))
      local path = question.payload and question.payload.path
      local message = answer(question.type, path)
      loop.spawn(function()
        if message == nil then return requests:connection_lost(connection_id) end
        requests:offer(connection_id, assert(core.decode(assert(core.encode(message)))))
      end)
      return true
    end,
  }
  return requests, host
end

-- What went wrong without anybody waiting for it counts too.
local function walked(answer, walk)
  local raised = {}
  loop.on_error(function(message) raised[#raised + 1] = message end)
  local requests, host = requests_of(answer)
  local records, err = (walk or walk_records)(requests, CONNECTION, MAP)
  loop.on_error(nil)
  assert.same({}, raised)
  return records, err, host.asked
end

local function root() return { type = "SYNC_RESP_ROOT", payload = { mapName = MAP, rootHash = 1 } } end
local function buckets(path, list) return { type = "SYNC_RESP_BUCKETS", payload = { mapName = MAP, path = path, buckets = list } } end
local function leaf(path, list) return { type = "SYNC_RESP_LEAF", payload = { mapName = MAP, path = path, records = list } } end
local function record(value) return { value = value, timestamp = { millis = 1, counter = 0, nodeId = "n" } } end

describe("A Merkle walk", function()
  it("collects what the leaves hold, by digits and by whole paths", function()
    local tree = {
      [""] = buckets("", { a = 1, b = 0, ["012/a3"] = 2 }),
      ["a"] = buckets("a", { ["0"] = 5 }),
      ["a0"] = leaf("a0", { { key = "x", record = record(1) }, { key = "y", record = record(core.null) } }),
      ["012/a3"] = leaf("012/a3", { { key = "z", record = record "s" } }),
    }
    local records, err, asked = walked(function(kind, path) return kind == "SYNC_INIT" and root() or tree[path] end)
    assert.is_nil(err)
    assert.same({ 1, core.null, "s" }, { records.x.value, records.y.value, records.z.value })
    assert.equal(5, asked)
  end)

  local function no_end(make)
    return function(kind, path) return kind == "SYNC_INIT" and root() or buckets(path, make(path)) end
  end
  local endless = {
    ["is its own child"] = no_end(function(path) return { [path == "" and "ab" or path] = 1 } end),
    ["gets deeper with each answer"] = no_end(function() return { f = 1 } end),
    ["leads back to the top"] = no_end(function(path) return { [path == "abc" and "de" or "abc"] = 1 } end),
  }
  for name, answer in pairs(endless) do
    it("ends when the tree " .. name, function()
      local records, err, asked = walked(answer)
      assert.is_nil(records)
      assert.is_truthy(err:find("cannot be there", 1, true), err)
      assert.is_true(asked < 20)
      records, err, asked = walked(answer, merkle_walk.first_leaf)
      assert.is_nil(records)
      assert.is_truthy(err:find("cannot be there", 1, true), err)
      assert.is_true(asked < 20)
    end)
  end

  local wrong = {
    { "buckets that are a number", buckets("", 7), "the buckets are no map" },
    { "buckets that are missing", buckets("", nil), "the buckets are no map" },
    { "buckets that are an array", buckets("", { 1, 2 }), "a bucket without a digit" },
    { "an empty digit", buckets("", { [""] = 1 }), "a bucket without a digit" },
    { "a path of 1,000 bytes", buckets("", { [("a"):rep(1000)] = 1 }), "cannot be there" },
    { "records that are a text", leaf("", "x"), "the records of a leaf are no array" },
    { "records that are missing", leaf("", nil), "the records of a leaf are no array" },
    { "an entry that is a number", leaf("", { 7 }), "a record in a leaf is none" },
    { "an entry without a key", leaf("", { { record = record(1) } }), "a record in a leaf is none" },
    { "a key that is a number", leaf("", { { key = 7, record = record(1) } }), "a record in a leaf is none" },
    { "a record that is null", leaf("", { { key = "k", record = core.null } }), "a record in a leaf is none" },
    { "a record without a timestamp", leaf("", { { key = "k", record = {} } }), "a record in a leaf is none" },
    { "millis that are NaN", leaf("", { { key = "k", record = { timestamp = { millis = 0 / 0, counter = 0 } } } }), "a record in a leaf is none" },
    { "millis that are a text", leaf("", { { key = "k", record = { timestamp = { millis = "1", counter = 0 } } } }), "a record in a leaf is none" },
    { "a counter that is negative", leaf("", { { key = "k", record = { timestamp = { millis = 1, counter = -1 } } } }), "a record in a leaf is none" },
  }
  for _, case in ipairs(wrong) do
    it("is refused for " .. case[1], function()
      for _, walk in ipairs { walk_records, merkle_walk.first_leaf } do
        local records, err = walked(function(kind) return kind == "SYNC_INIT" and root() or case[2] end, walk)
        assert.is_nil(records)
        assert.is_truthy(err:find(case[3], 1, true), err)
      end
      local records, err = walked(function() return case[2] end,
        function(requests) return merkle_walk.leaf(requests, CONNECTION, MAP, "") end)
      assert.is_nil(records)
      assert.is_truthy(err:find(case[3], 1, true) or err == "no leaf is there", err)
    end)
  end

  it("ends, and gives records or a reason, whatever is answered", function()
    -- A generator of its own: the same walks on every machine.
    local state
    local function random(bound)
      state = (state * 1103515245 + 12345) % 2147483648
      return math.floor(state / 65536) % bound
    end
    local function pick(list) return list[random(#list) + 1] end
    local junk = { 7, -1, 0.5, 0 / 0, 2 ^ 60, true, "x", "", core.null, {}, { 1, { 2 } }, { a = { b = 1 } }, ("f"):rep(40) }
    local digits = { "0", "7", "a", "f", "ab", "012/a3", "abcdef0123", "", "zz" }
    local function maybe(value) return random(12) == 0 and pick(junk) or value end
    local function some_records()
      local list = {}
      for i = 1, random(4) do
        list[i] = maybe { key = maybe("k" .. random(50)), record = maybe {
          value = pick(junk), timestamp = maybe { millis = maybe(random(9)), counter = maybe(random(9)), nodeId = maybe "n" },
        } }
      end
      return list
    end
    local function some_buckets()
      local list = {}
      for _ = 1, random(4) do list[pick(digits)] = maybe(random(3)) end
      return list
    end
    local function any(kind, path)
      if random(40) == 0 then return nil end -- the connection breaks
      if kind == "SYNC_INIT" then
        return { type = pick { "SYNC_RESP_ROOT", "SYNC_RESET_REQUIRED" }, payload = { mapName = MAP, rootHash = pick(junk) } }
      end
      if random(3) == 0 then return leaf(path, maybe(some_records())) end
      return buckets(path, maybe(some_buckets()))
    end
    local complete, refused = 0, 0
    for round = 1, ROUNDS do
      state = SEED + round
      local walk = round % 3 == 0 and merkle_walk.first_leaf or walk_records
      local records, err = walked(any, walk)
      if records then
        complete = complete + 1
        for key, held in pairs(records) do
          if walk == merkle_walk.first_leaf then key, held = held.key, held.record end
          assert.equal("string", type(key))
          assert.is_true(held.timestamp.millis >= 0 and held.timestamp.counter >= 0, "round " .. round)
        end
      else
        refused = refused + 1
        assert.is_truthy(err, "round " .. round)
      end
    end
    assert.is_true(complete > 100 and refused > 100, ("%d complete, %d refused"):format(complete, refused))
  end)

  -- Asked of a node that lets some questions run out of time: `answers` has what it says to
  -- the first, the second and so on of a kind and path.
  local function asked_of(answers)
    local asked = {}
    local requests = {
      request = function(_, _, question)
        local path = question.payload and question.payload.path or question.type
        asked[#asked + 1] = path
        local answer = table.remove(answers[path], 1)
        if not answer then return nil, "timeout" end
        return answer
      end,
    }
    local records, err = walk_records(requests, CONNECTION, MAP)
    return records, err, asked
  end

  it("asks again for what a node that was silent altogether had no time to answer", function()
    local top, found = buckets("", { a = 1 }), leaf("a", { { key = "x", record = record(1) } })
    local records, err, asked = asked_of { SYNC_INIT = { root() }, [""] = { top, top }, a = { false, found } }
    assert.is_nil(err)
    assert.equal(1, records.x.value)
    assert.same({ "SYNC_INIT", "", "a", "", "a" }, asked)
  end)

  it("ends when a node is silent about a path that it lists, three times", function()
    local top = buckets("", { a = 1 })
    local records, err, asked = asked_of { SYNC_INIT = { root() }, [""] = { top, top, top, top }, a = {} }
    assert.is_nil(records)
    assert.equal("path 'a': timeout", err)
    assert.same({ "SYNC_INIT", "", "a", "", "a", "", "a", "" }, asked)
  end)

  it("takes a place that is not listed any more for empty when a node is silent about it", function()
    local top, found = buckets("", { a = 1, b = 1 }), leaf("b", { { key = "x", record = record(1) } })
    for _, later in ipairs { buckets("", { b = 1 }), buckets("", { a = 0, b = 1 }), leaf("", {}) } do
      local records, err = asked_of { SYNC_INIT = { root() }, [""] = { top, later }, a = {}, b = { found } }
      assert.is_nil(err)
      assert.equal(1, records.x.value)
    end
  end)

  it("goes up as far as the node is silent, and takes a map that has become empty for that", function()
    local empty = root()
    empty.payload.rootHash = 0
    local records, err, asked = asked_of { SYNC_INIT = { root(), empty }, [""] = { buckets("", { a = 1 }) },
      a = { buckets("a", { b = 1 }) }, ab = {} }
    assert.is_nil(err)
    assert.same({}, records)
    assert.same({ "SYNC_INIT", "", "a", "ab", "a", "", "SYNC_INIT" }, asked)
  end)

  it("ends when a node has become silent altogether", function()
    local records, err, asked = asked_of { SYNC_INIT = { root() }, [""] = {} }
    assert.is_nil(records)
    assert.equal("path '': timeout", err)
    assert.same({ "SYNC_INIT", "", "SYNC_INIT" }, asked)
  end)

  it("does not take an answer whose payload is none for its own", function()
    local requests = requests_of(function() return root() end)
    local task = loop.spawn(merkle_walk.root, requests, CONNECTION, MAP, 5)
    while not next(requests.waiting) do loop.iterate(0) end
    for _, payload in ipairs { 7, "x", core.null, true, {} } do
      assert.is_false(requests:offer(CONNECTION, { type = "SYNC_RESP_ROOT", payload = payload }))
    end
    assert.is_false(requests:offer(CONNECTION, { type = "SYNC_RESP_ROOT" }))
    assert.equal(1, assert(task:wait(60)).rootHash)
  end)
end)
