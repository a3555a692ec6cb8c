--- Connections of single users: each is its user's own, and reads little at a time.
local core = require "wingman.core"
local loop = require "wingman.loop"
local sessions = require "wingman.load.sessions"
local sim = require "wingman.sim"
local wingman = require "wingman"

describe("a user's own connection", function()
  local cluster, own, lost

  before_each(function()
    cluster, lost = assert(sim.start { nodes = 1 }), {}
    own = assert(sessions.new {
      urls = cluster.urls, token = cluster.token, capacity = 50, metrics = core.op_metrics(),
      lost = function(reason) lost[#lost + 1] = reason end,
    })
  end)
  after_each(function()
    own:close()
    cluster:stop()
  end)

  local function open_at_the_cluster()
    local _, node = next(assert(cluster:stats()))
    return node.open
  end

  it("is opened and ended for this user alone", function()
    for id = 1, 3 do assert.is_true(own:connect(id)) end
    assert.equal(3, own.open)
    assert.equal(3, open_at_the_cluster())
    own:disconnect(2)
    assert.is_true(loop.wait_until(function() return open_at_the_cluster() == 2 end, 5))
    assert.same({ true, false, true }, { own:is_connected(1), own:is_connected(2), own:is_connected(3) })
    assert.same({}, lost)
    assert.is_true(own:connect(2))
    assert.equal(3, own.open)
  end)

  it("that breaks off is told, and the others too", function()
    for id = 1, 3 do assert.is_true(own:connect(id)) end
    assert(cluster:command("kill " .. cluster.nodes[1].id))
    assert.is_true(loop.wait_until(function() return own.open == 0 end, 5))
    assert.equal(3, #lost)
    assert.equal(3, own.lost)
  end)

  -- The value of a key by a query on the user's connection.
  local function ask(id, map_name)
    local lane = id - 1
    assert(own.core:send(lane, core.encode {
      type = "QUERY_SUB", payload = { queryId = "q" .. map_name, mapName = map_name, query = {} },
    }))
    local answer
    assert(loop.wait_until(function()
      repeat
        local event, _, _, _, _, message = own.core:next_event()
        if event == "message" and message.payload.queryId == "q" .. map_name then answer = message end
      until not event
      return answer
    end, 10))
    return answer.payload.results[1].value
  end

  it("takes messages of any size, in whatever pieces they are read", function()
    assert.is_true(own:connect(1))
    loop.remove_source(own) -- the spec reads the events
    local client = wingman.client { server = cluster.urls[1], auth = { token = cluster.token } }
    assert(client:start())
    for _, size in ipairs { 10, 350, 400, 450, 500, 512, 1024, 5000, 100000 } do
      local name, value = "m" .. size, ("v"):rep(size - 1) .. "!"
      assert(client:map(name):set("key", value))
      assert(client:drain(5))
      assert.equal(value, ask(1, name))
    end
    client:close()
  end)
end)
