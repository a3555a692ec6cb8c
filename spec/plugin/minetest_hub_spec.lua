--- The part of the Minetest mod that knows nothing of Minetest: what servers share.
local clusters = require "spec.support.cluster"
local http_proxy = require "spec.support.http_proxy"
local loop = require "wingman.loop"
local process = require "wingman.loop.process"
local starving = require "wingman.client.health.starving"
local steps = require "spec.support.steps"
local wingman = require "wingman"

--- Seconds for what takes milliseconds on a machine that has time.
local PATIENCE = 60
local NOWHERE = { "ws://127.0.0.1:1" }
local Hub = dofile "scripts/plugins/minetest/wingman_sync/hub.lua"

clusters.on_each(getfenv(), "the hub of wingman_sync", function(shared, it)
  local hubs, folder, proxy = {}, nil, nil

  local function close_all()
    for _, hub in ipairs(hubs) do hub:close() end
    hubs = {}
  end

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
  end)
  local patience = starving.PATIENCE
  after_each(function()
    starving.PATIENCE = patience
    close_all()
    if proxy then proxy:close() end
    proxy = nil
    assert(process.spawn { file = "/bin/rm", args = { "-rf", folder } }):wait(PATIENCE)
  end)

  -- A game server: its hub, what its players hear, and what it logs.
  local function server(name, options, urls)
    options = options or {}
    options.cluster, options.auth = { seeds = urls or shared.cluster.urls }, { token = shared.cluster.token }
    local said, logged = {}, {}
    local hub = Hub.new(wingman, options, name, 1e6, {
      said = function(from, who, text) said[#said + 1] = ("[%s] <%s> %s"):format(from, who, text) end,
      log = function(text) logged[#logged + 1] = text end,
    })
    hubs[#hubs + 1] = hub
    return hub, said, logged
  end

  -- Steps all servers until it is so; time goes on by 0.1 s with each step.
  local function await(condition, what)
    local done = loop.wait_until(function()
      for _, hub in ipairs(hubs) do hub:step(0.1, 1000) end
      return condition()
    end, PATIENCE)
    assert(done, type(what) == "function" and what() or what)
  end

  local function is_live(hub)
    for _, one in ipairs(hub:standing()) do
      if one.state ~= "live" or one.behind > 0 then return false end
    end
    return true
  end

  local function await_live(hub)
    await(function() return is_live(hub) end, function()
      local parts = {}
      for i, one in ipairs(hub:standing()) do parts[i] = ("%s %s, %d behind"):format(one.map, one.state, one.behind) end
      return "not live: " .. table.concat(parts, "; ")
    end)
  end

  -- A server that has everything.
  local function live_server(...)
    local hub, said, logged = server(...)
    await_live(hub)
    return hub, said, logged
  end

  local function board(hub)
    local parts = {}
    for _, entry in ipairs(hub:top(10)) do parts[#parts + 1] = entry.name .. " " .. entry.score end
    return table.concat(parts, ", ")
  end

  -- What the cluster has, as the owner says.
  local function is_stored(name, score)
    local reader, last = shared:started(), nil
    await(function()
      last = reader:map "minetest_scores":read(name)
      return last and last.score == score
    end, function() return ("the cluster has %s for %s, not %d"):format(last and last.score, name, score) end)
    reader:close()
  end

  -- Writes of a client that is no hub, acknowledged.
  local function write(map, values)
    local writer = shared:started()
    for key, value in pairs(values) do
      if value == wingman.null then assert(writer:map(map):remove(key)) else assert(writer:map(map):set(key, value)) end
    end
    assert(writer:drain(PATIENCE))
    writer:close()
  end

  -- Names that no other test uses.
  local number = 0
  local function player()
    number = number + 1
    return "player" .. number
  end

  local function at(x, beat) return { server = "east", x = x, y = 0, z = 0, beat = beat or 1 } end

  -- Positions of players elsewhere, by name.
  local function positions(hub)
    local by_name = {}
    for _, p in ipairs(hub:players_elsewhere()) do by_name[p.name] = p.x end
    return by_name
  end

  -- How often the hub is told of each player from now on.
  local function count_calls(hub)
    local calls, told = {}, hub.player_changed
    function hub:player_changed(name, ...)
      calls[name] = (calls[name] or 0) + 1
      return told(self, name, ...)
    end
    return calls
  end

  it("adds to the score that is there, when it has not read it yet", function()
    local name = player()
    write("minetest_scores", { [name] = { score = 500 } })
    local hub = server "west"
    hub:scored(name, 1) -- before it is connected
    hub:scored(name, 2)
    is_stored(name, 503)
    assert.equal(503, hub.scores[name])
    assert.is_nil(hub.earned[name])
  end)

  it("keeps points while the board cannot be read, and shows them", function()
    local name = player()
    local hub, _, logged = server("west", { start_timeout = 1 }, NOWHERE)
    hub:scored(name, 7)
    await(function() return board(hub) == name .. " 7" end, "the points are not shown")
    for _ = 1, 30 do hub:step(0.1, 1000) end
    assert.equal("(Not everything is known yet.)", hub:note_on_scores())
    close_all()
    assert.truthy(table.concat(logged, "\n"):find("7 points of " .. name .. " are not on it", 1, true))
  end)

  it("counts what several servers add in turns", function()
    local name = player()
    local west, east = live_server "west", live_server "east"
    for i = 1, 4 do
      local hub = i % 2 == 0 and west or east
      hub:scored(name, 10)
      is_stored(name, i * 10)
      await(function() return west.scores[name] == i * 10 and east.scores[name] == i * 10 end, "the other server does not get it")
    end
  end)

  it("does not take from players what nonsense in the cluster says", function()
    local good = player()
    for i, value in ipairs { { score = "many" }, { score = {} }, 5, "text", {}, { server = "east" }, { server = "east", n = "x", x = 1 } } do
      for _, map in ipairs { "minetest_scores", "minetest_chat", "minetest_players" } do write(map, { ["bad" .. i] = value }) end
    end
    local hub = live_server "west"
    hub:scored(good, 1)
    is_stored(good, 1)
    for _, p in ipairs(hub:players_elsewhere()) do assert.is_nil(p.name:match "^bad") end
    assert.equal(0, hub.client:stats().callback_errors)
  end)

  it("writes a higher score again over a lower one, and takes a removal", function()
    local name, removed = player(), player()
    local hub = live_server "west"
    for _, one in ipairs { name, removed } do
      hub:scored(one, 500)
      is_stored(one, 500)
    end
    write("minetest_scores", { [name] = { score = 1 }, [removed] = wingman.null }) -- by a server that did not know, and an admin
    is_stored(name, 500)
    await(function() return not hub.scores[removed] end, "the removed score is shown")
  end)

  it("says a line once, whatever is sent again, and those of one step in order", function()
    local west = live_server "west"
    local east, said = live_server "east"
    local time = os.time
    for i = 1, 60 do
      rawset(os, "time", function() return time() + math.floor(i / 20) end) -- seconds end in between
      west:said("ann", "line " .. i)
    end
    rawset(os, "time", time)
    local times
    local function count()
      times = {}
      for _, line in ipairs(said) do times[line] = (times[line] or 0) + 1 end
    end
    await(function()
      count()
      for i = 11, 60 do -- the map has the last 50
        if not times["[west] <ann> line " .. i] then return false end
      end
      return true
    end, function() return #said .. " lines of 50 or more were heard" end)
    for i = 0, 49 do assert(west.chat_map:resend("west:" .. i)) end -- as a repair does
    assert(west.client:drain(PATIENCE))
    west:said("ann", "the last")
    await(function() return said[#said] == "[west] <ann> the last" end, "the last line was not heard")
    count()
    for line, n in pairs(times) do assert.equal(1, n, line) end
    for n = 3, 1, -1 do east:heard_line("north:" .. n, { server = "north", name = "cid", text = "line " .. n, n = n }, "repair") end
    east:step(0.1, 1000)
    assert.same({ "[north] <cid> line 1", "[north] <cid> line 2", "[north] <cid> line 3" }, { unpack(said, #said - 2) })
    east:heard_line("north:3", { server = "north", name = "cid", text = "line -47", n = -47 }, "repair") -- a former owner's
    east:step(0.1, 1000)
    assert.equal("[north] <cid> line 3", said[#said])
  end)

  it("says the lines of a server that was started again, and none from before its own start", function()
    local west = live_server "west"
    local east, said = live_server "east"
    west:said("ann", "before")
    await(function() return said[1] == "[west] <ann> before" end, "the first line was not heard")
    west:close()
    hubs = { east }
    local again, heard = live_server "west" -- within the same second
    again:said("ann", "after")
    await(function() return said[2] == "[west] <ann> after" end, "the line after the start was not heard")
    assert.same({}, heard)
  end)

  it("that was away has each change of 20 players, scores and lines, and is told once of each", function()
    proxy = http_proxy.start {}
    local hub, said = live_server("west", { proxy = "http://127.0.0.1:" .. proxy.port })
    local names, before = {}, {}
    for i = 1, 20 do
      names[i] = player()
      if i <= 15 then before[names[i]] = at(i) end
    end
    write("minetest_players", before)
    await(function()
      local seen = positions(hub)
      for name, value in pairs(before) do
        if seen[name] ~= value.x then return false end
      end
      return true
    end, "the players are not seen")
    local calls, first = count_calls(hub), #said
    proxy:cut()
    await(function() return #hub.client:connected_nodes() == 0 end, "it is not away")
    assert.truthy(hub:note_on_players():find("This may be old: as of %d+ s ago"))
    for _, one in ipairs(hub:standing()) do assert.matches("connected", one.why) end
    for round = 1, 3 do
      local values = {}
      for i = 1, 10 do values[names[i]] = at(100 * round + i, round) end
      for i = 11, 15 do values[names[i]] = wingman.null end
      for i = 16, 20 do values[names[i]] = at(round * 1000 + i) end
      write("minetest_players", values)
    end
    write("minetest_scores", { [names[1]] = { score = 9 } })
    for i = 1, 3 do write("minetest_chat", { ["east:" .. number .. i] = { server = "east", name = "bob", text = "line " .. i, n = i } }) end
    hub:scored(names[1], 1)
    proxy:mend()
    await_live(hub)
    local seen = positions(hub)
    for i, name in ipairs(names) do
      local expected = i <= 10 and 300 + i or i > 15 and 3000 + i or nil
      assert.same({ i, expected, 1 }, { i, seen[name], calls[name] })
    end
    assert.equal(3, #said - first)
    assert.is_nil(hub:note_on_players())
    is_stored(names[1], 10)
  end)

  it("puts no position behind one that waits, and sends the last", function()
    proxy = http_proxy.start {}
    local hub, name = live_server("west", { proxy = "http://127.0.0.1:" .. proxy.port }), player()
    proxy:cut()
    await(function() return #hub.client:connected_nodes() == 0 end, "it is not away")
    for i = 1, 50 do
      hub:moved(name, i, 0, 0)
      hub:step(1, 1000)
    end
    assert.equal(1, hub.client:backlog().pending)
    proxy:mend()
    local reader, last = shared:started(), nil
    await(function()
      last = reader:map "minetest_players":read(name)
      return last and last.x == 50
    end, function() return "the player is at " .. tostring(last and last.x) end)
  end)

  it("has the board after a restart without a network, and what others changed once there is one", function()
    local name, gone, ghost = player(), player(), player()
    local function options() return { start_timeout = 1, copy = { path = folder } } end
    local hub = live_server("west", options())
    hub:moved(ghost, 1, 1, 1)
    local scores = { [name] = { score = 40 }, [gone] = { score = 41 } }
    for i = 1, 30 do scores[player()] = { score = i } end -- a v2 node that holds nothing counts as one that has lost it
    write("minetest_scores", scores)
    await(function() return hub.scores[name] == 40 and hub.scores[gone] == 41 and is_live(hub) end, "it does not hear of the scores")
    await(function() return (hub.players_map:record(ghost) or {}).state == "synced" end, "the player is not written")
    hub.client:close() -- without a word, as a process that is killed
    hubs = {}
    write("minetest_scores", { [name] = { score = 50 }, [gone] = wingman.null })

    local offline = server("west", options(), NOWHERE)
    await(function() return offline.scores[name] == 40 and offline.scores[gone] == 41 end, "the board is not there")
    assert.truthy(offline:note_on_scores():find "as of %d+ s ago")
    offline:scored(name, 1)
    close_all()

    local again, _, logged = live_server("west", options())
    assert.same({ 50, nil }, { again.scores[name], again.scores[gone] })
    local busy, _, refused = live_server("east", options())
    assert.truthy(refused[1] and refused[1]:find "the leaderboard is in memory only: BUSY", refused[1])
    assert.equal(50, busy.scores[name])
    again:scored(name, 1)
    is_stored(name, 51)
    await(function() return positions(busy)[ghost] == nil end, "a player of the start that was killed stands there for ever")
    assert.same({}, logged)
  end)

  it("gives a node that came up without them the scores again", function()
    local hub, observer = live_server "west", shared:started()
    local scores = {}
    for i, name in ipairs(clusters.keys_of(observer, "node-2", 20)) do scores[name] = { score = 70 + i } end
    write("minetest_scores", scores)
    await(function()
      for name, value in pairs(scores) do
        if hub.scores[name] ~= value.score then return false end
      end
      return true
    end, "it does not hear of the scores")
    assert(shared.cluster:kill "node-2")
    shared:restart("node-2", observer)
    for name, value in pairs(scores) do is_stored(name, value.score) end
  end)

  it("gives nodes that came up without them, while it was not there, the scores of its file", function()
    local hub, scores, observer = live_server("west", { copy = { path = folder } }), {}, shared:started()
    for _, name in ipairs(clusters.keys_of(observer, "node-2", 20)) do scores[name] = { score = 90 } end
    write("minetest_scores", scores)
    await(function()
      for name in pairs(scores) do
        if hub.scores[name] ~= 90 then return false end
      end
      return true
    end, "it does not hear of the scores")
    close_all()
    assert(shared.cluster:kill "node-2")
    shared:restart("node-2", observer)
    live_server("west", { copy = { path = folder } })
    for name in pairs(scores) do is_stored(name, 90) end
  end)

  it("in a host without time tells one player in a step, says how far behind it is, and misses nothing", function()
    proxy = http_proxy.start {}
    local hub, _, logged = live_server("west", { proxy = "http://127.0.0.1:" .. proxy.port })
    proxy:cut()
    await(function() return #hub.client:connected_nodes() == 0 end, "it is not away")
    local values = {}
    for i = 1, 60 do values[player()] = at(i) end
    write("minetest_players", values)
    local calls, most, behind, told = 0, 0, 0, hub.player_changed
    function hub:player_changed(...)
      calls = calls + 1
      steps.idle(0.001)
      return told(self, ...)
    end
    starving.PATIENCE = 1e-9
    proxy:mend()
    local reached = select(2, steps.run(function()
      local before = calls
      hub:step(0.05, 1)
      most, behind = math.max(most, calls - before), math.max(behind, hub:standing()[1].behind)
      return calls >= 60
    end, 1, PATIENCE))
    assert.is_true(reached, calls .. " changes were told")
    assert.equal(1, most, "slow calls in a step without time")
    assert.is_true(behind > 0, "it was never behind")
    assert.truthy(table.concat(logged, "\n"):find "starving %(message: each step of the last %d+ s left something")
    local seen = positions(hub)
    for name, value in pairs(values) do assert.equal(value.x, seen[name], name) end
  end)

  it("misses nothing of a burst that nodes do not announce", function()
    local hub, values, names = live_server "west", {}, {}
    for i = 1, shared.is_real and 1500 or 200 do
      names[i] = player()
      values[names[i]] = at(i)
    end
    write("minetest_players", values)
    await(function()
      local seen = positions(hub)
      for i, name in ipairs(names) do
        if seen[name] ~= i then return false end
      end
      return true
    end, "players are missing")
    if not shared.url:find "event_queue" then return end
    local dropped = 0
    for _, node in pairs(assert(shared.cluster:stats())) do dropped = dropped + node.events_dropped end
    assert.is_true(dropped > 0, "the burst was too small")
  end)
end, { "sim://3?event_queue=8", "sim://3?dialect=0.11", "topgun://3" })
