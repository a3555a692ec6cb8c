--- Copies whose records have no more room (the client option copy.max_records): what they say, what they still know, and how
--- they become whole.
local checker = require "spec.support.replica_checker"
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local process = require "wingman.loop.process"

local env = getfenv()

-- Each node has more records than there is room for.
local LIMIT, RECORDS = 50, 300

clusters.on_each(env, "a copy without room", function(shared, it)
  local writer, written, expected

  before_each(function()
    writer = shared:started()
    written = writer:map(shared:map_name())
    eventually("every node is connected", function() return #writer:connected_nodes() == #shared.cluster.nodes end)
    for i = 1, RECORDS do assert(written:set("k" .. i, { v = i })) end
    assert(writer:drain(60))
    expected = checker.expected(writer, written.name)
  end)

  local function reader_with(limit, path)
    local client = shared:started { copy = { max_records = limit, path = path } }
    eventually("every node is connected", function() return #client:connected_nodes() == #shared.cluster.nodes end)
    return client, client:map(written.name)
  end

  -- What it shows is right, and there is not more of it than there is room for.
  local function assert_partly_right(map)
    local shown = 0
    for key, value in map:each() do
      shown = shown + 1
      assert.same(expected[key].value, value)
    end
    assert.is_true(shown > 0 and shown <= LIMIT, shown)
    assert.equal(shown, map:size())
  end

  local function assert_whole(map)
    assert(map:synced(60))
    eventually("the copy is what the nodes hold", function()
      local differences = checker.differences(map, checker.expected(writer, map.name))
      return not differences, differences
    end)
  end

  it("says so, and claims nothing that it does not know", function()
    local client, map = reader_with(LIMIT)
    local copy, told, synced = map:replicate(), {}, 0
    copy:on("full", function(err) told[#told + 1] = err end)
    copy:on("synced", function() synced = synced + 1 end)
    eventually("it is told", function() return told[1] end)
    assert.same({ "COPY_FULL", LIMIT, map.name, false }, { told[1].code, told[1].limit, told[1].map, told[1].retriable })
    assert.same({ "partial", true }, { copy:status().state, copy:status().full })
    local ok, err = map:synced(60)
    assert.same({ nil, "COPY_FULL" }, { ok, err.code })
    local rows, wrong = client:query(map.name, { source = "copy" })
    assert.same({ nil, "COPY_FULL" }, { rows, wrong.code })
    local live = client:live_query(map.name)
    local followed, refused = live:synced(60)
    assert.same({ nil, "COPY_FULL", "partial" }, { followed, refused.code, live:status().state })
    assert_partly_right(map)
    assert.equal(RECORDS, #assert(client:query(map.name)))
    assert.same({ 1, 0, 1 }, { #told, synced, #shared:logged "copy_full" })
  end)

  it("shows own writes, and goes on reading nothing", function()
    local client, map = reader_with(LIMIT)
    local copy, other = map:replicate { check = 0.02 }, shared:started():map(map.name)
    other:replicate { check = 0.02 }
    eventually("it is full", function() return copy:status().full end)
    for i = 1, 50 do assert(map:set("own" .. i, i)) end
    assert(client:drain(60))
    for i = 1, 50 do assert.equal(i, map:get("own" .. i)) end
    eventually("no node is asked any more", function()
      for i = 0, #shared.cluster.nodes - 1 do
        local state, is_resting = map.core_map:replica_node(i), select(11, map.core_map:replica_node(i))
        if not is_resting or state == "walking" then return false, state end
      end
      return true
    end)
    local before = copy:status().requests
    for i = 1, 200 do assert(written:set("new" .. i, i)) end
    assert(writer:drain(60))
    assert_whole(other)
    assert.is_true(copy:status().requests <= before + 2 * #shared.cluster.nodes, copy:status().requests - before) -- roots, at rest
    assert.same({ "partial", true }, { copy:status().state, copy:status().full })
  end)

  it("becomes whole when another one has given its room back", function()
    local holders = shared.is_0_11 and 2 or 1
    local client, map = reader_with(RECORDS * holders * 3 / 2)
    assert_whole(map)
    local other = client:map(shared:map_name())
    local more = writer:map(other.name)
    for i = 1, RECORDS do assert(more:set("k" .. i, -i)) end
    assert(writer:drain(60))
    local copy, states = other:replicate(), {}
    copy:on("state", function(to) states[#states + 1] = to end)
    eventually("it is full", function() return copy:status().full end)
    assert_whole(map)
    map:replicate():close()
    assert_whole(other)
    assert.is_false(copy:status().full)
    eventually("it is live", function() return states[#states] == "live", states end)
    assert.equal(RECORDS, other:size())
  end)

  it("from a file has no more than there is room for, and does not say that it was equal", function()
    local folder = os.tmpname()
    os.remove(folder)
    local first, kept = reader_with(RECORDS * 3, folder)
    assert(kept:replicate { persist = true })
    assert_whole(kept)
    first:close()

    local second = shared:client { cluster = { seeds = { "ws://127.0.0.1:1" } }, copy = { path = folder, max_records = LIMIT } }
    local map = second:map(written.name)
    local copy = assert(map:replicate { persist = true })
    assert_partly_right(map)
    assert.same({ "snapshot", true }, { copy:status().state, copy:status().full })
    assert.is_nil(copy:status().age)
    eventually("it is logged", function() return shared:logged("copy_full")[1] end)
    local ok, err = copy:synced(0)
    assert.same({ nil, "COPY_FULL" }, { ok, err.code })
    second:close()

    local third, again = reader_with(LIMIT, folder)
    copy = assert(again:replicate { persist = true })
    eventually("it is full", function() return copy:status().full and copy:status().state == "partial" end)
    assert_partly_right(again)
    third:close()

    local _, last = reader_with(RECORDS * 3, folder)
    assert(last:replicate { persist = true })
    assert_whole(last)
    assert(process.spawn { file = "/bin/rm", args = { "-rf", folder } }):wait(60)
  end)
end)
