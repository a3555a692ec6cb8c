--- How many keys a replica has is counted as they change: whatever happens, it is what a walk over them finds.
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local schedule = require "spec.support.replica_schedule"

local env = getfenv()

local KEYS = 600
-- Of a random schedule in which writers follow, too.
local SEED = 8

local function assert_counted(map)
  local walked = 0
  for _ in map:each() do walked = walked + 1 end
  assert.equal(walked, map:size())
  assert.equal(walked, map:replicate():status().records)
  return walked
end

clusters.on_each(env, "the size of a replica", function(shared, it)
  -- Whether what a node came up without is shown on or not.
  local function through_all(on_loss)
    local writer, reader = shared:started(), shared:started()
    local name = shared:map_name()
    local written, map = writer:map(name), reader:map(name)
    for _, client in ipairs { writer, reader } do
      eventually("every node is connected", function() return #client:connected_nodes() == #shared.cluster.nodes end)
    end
    -- How many there are depends on the owners: the real server's change once more after a node came back, and a key that its new
    -- owner has removed shows again while the former one has it.
    local function settle()
      for _, client in ipairs { writer, reader } do assert(client:drain(60)) end
      assert(map:synced(60))
      return assert_counted(map)
    end
    for i = 1, KEYS do assert(written:set("k" .. i, i)) end
    map:replicate { on_loss = on_loss }
    settle()
    eventually("all keys are there", function() return map:size() == KEYS, map:size() end)

    for i = 1, 20 do assert(map:set("own" .. i, i)) end
    for i = 1, 10 do assert(map:remove("k" .. i)) end
    assert(map:remove "nothing")
    assert.equal(KEYS + 10, assert_counted(map)) -- own writes that no node has sent back
    settle()

    for i = 1, KEYS / 2 do assert(written:remove("k" .. i)) end -- more than a node announces
    settle()
    eventually("the removals are there", function() return map:size() < KEYS, map:size() end)
    assert_counted(map)

    assert(shared.cluster:kill "node-1")
    for _, client in ipairs { writer, reader } do
      eventually("node-1 is lost", function() return #client:connected_nodes() < #shared.cluster.nodes end)
    end
    assert_counted(map)
    shared:restart("node-1", writer)
    eventually("node-1 is followed again", function() return #reader:connected_nodes() == #shared.cluster.nodes end)
    settle()
    for i = 1, KEYS do assert(written:set("k" .. i, -i)) end
    assert.is_true(settle() >= KEYS)
  end

  for _, on_loss in ipairs { "keep", "drop" } do
    it("is what a walk counts, where what is lost is to be " .. (on_loss == "keep" and "kept" or "dropped"), function() through_all(on_loss) end)
  end
end, { "sim://3?event_queue=4", "sim://3?dialect=0.11", "topgun://3" })

clusters.on_each(env, "the size of a replica", function(shared, it)
  it("is what a walk counts, after each step of a random schedule", function()
    schedule.run(shared, SEED, { begin = function() end, step = assert_counted, wrong = function() end })
  end)
end, { "sim://3" })
