--- The part of the Minetest mod that knows nothing of Minetest: what servers share.
local clusters = require "spec.support.cluster"
local loop = require "wingman.loop"
local wingman = require "wingman"

--- Seconds for what takes milliseconds on a machine that has time.
local PATIENCE = 60
local Hub = dofile "scripts/plugins/minetest/wingman_sync/hub.lua"

clusters.on_each(getfenv(), "the hub of wingman_sync", function(shared, it)
  local hubs = {}

  -- A game server: its hub, and what its players hear.
  local function server(name, options)
    options = options or {}
    options.cluster, options.auth = { seeds = shared.cluster.urls }, { token = shared.cluster.token }
    local said, logged = {}, {}
    local hub = Hub.new(wingman, options, name, 15, {
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

  local function board(hub)
    local parts = {}
    for _, entry in ipairs(hub:top(10)) do parts[#parts + 1] = entry.name .. " " .. entry.score end
    return table.concat(parts, ", ")
  end

  local function shows(hub, expected)
    await(function() return board(hub) == expected end, function() return ("the board is '%s', not '%s'"):format(board(hub), expected) end)
  end

  -- What the cluster has, read by a client of its own.
  local function stored(name)
    local client = shared:started()
    local values = wingman.by_key(assert(client:query "minetest_scores"))
    client:close()
    return values[name] and values[name].score
  end

  local function is_stored(name, score)
    local last
    await(function()
      last = stored(name)
      return last == score
    end, function() return ("the cluster has %s for %s, not %d"):format(tostring(last), name, score) end)
  end

  local function close_all()
    for _, hub in ipairs(hubs) do hub:close() end
    hubs = {}
  end

  -- Names that no other test uses.
  local number = 0
  local function player()
    number = number + 1
    return "player" .. number
  end

  it("adds to the score that is there, when it has not read it yet", function()
    local name = player()
    local writer = shared:started()
    assert(writer:map "minetest_scores":set(name, { score = 500 }))
    assert(writer:drain(PATIENCE))
    local hub = server "west"
    hub:scored(name, 1) -- before it is connected
    hub:scored(name, 2)
    is_stored(name, 503)
    assert.equal(503, hub.scores[name])
    assert.is_nil(hub.earned[name])
    close_all()
  end)

  it("keeps points while the board cannot be read, and shows them", function()
    local name = player()
    local hub = server("west", { start_timeout = 1, routing = function() return nil end }) -- nothing can be read or sent
    hub.client.query = function() return nil, "an owner is not connected" end
    hub:scored(name, 7)
    shows(hub, name .. " 7")
    await(function() return hub.client.state.current ~= "CONNECTING" end, "it does not connect")
    for _ = 1, 30 do hub:step(0.1, 1000) end
    assert.is_nil(stored(name))
    local _, _, logged = nil, nil, {}
    hub.hooks.log = function(text) logged[#logged + 1] = text end
    close_all()
    assert.truthy(table.concat(logged, "\n"):find("7 points of " .. name .. " are not on it", 1, true))
  end)

  it("counts what several servers add in turns", function()
    local name = player()
    local west, east = server "west", server "east"
    for i = 1, 4 do
      local hub = i % 2 == 0 and west or east
      hub:scored(name, 10)
      is_stored(name, i * 10)
      if not shared.is_0_11 then
        await(function() return west.scores[name] == i * 10 and east.scores[name] == i * 10 end, "the other server does not hear of it")
      end
    end
    close_all()
  end)

  it("does not take from players what nonsense in the cluster says", function()
    local writer = shared:started()
    local good = player()
    for i, value in ipairs { { score = "many" }, { score = {} }, 5, "text", {} } do
      assert(writer:map "minetest_scores":set("bad" .. i, value))
      assert(writer:map "minetest_chat":set("bad:" .. i, value))
      assert(writer:map "minetest_players":set("bad" .. i, value))
    end
    assert(writer:drain(PATIENCE))
    local hub = server "west"
    hub:scored(good, 1)
    is_stored(good, 1)
    assert.equal(0, hub.client:stats().callback_errors)
    close_all()
  end)

  if shared.is_0_11 then return end -- it tells nobody of changes: the rest is about hearing

  it("writes a higher score again over a lower one", function()
    local name = player()
    local hub = server "west"
    hub:scored(name, 500)
    is_stored(name, 500)
    local old = shared:started() -- a server that did not know
    assert(old:map "minetest_scores":set(name, { score = 1 }))
    assert(old:drain(PATIENCE))
    is_stored(name, 500)
    close_all()
  end)

  -- Lines that a hub hears from now on, once it hears what every node says: a subscription
  -- takes effect some time after the connection.
  local function listening(hub, speaker)
    local said, round = {}, 0
    hub.hooks.said = function(_, who, text) said[#said + 1] = who .. ": " .. text end
    await(function()
      if #said < 50 then
        said, round = {}, round + 1
        for i = 1, 50 do speaker:said("crowd", round .. "." .. i) end
        for _ = 1, 20 do
          for _, one in ipairs(hubs) do one:step(0.01, 5000) end
          loop.sleep(0.005)
        end
      end
      return #said >= 50 and said[#said]:find("^crowd: " .. round .. "%.")
    end, "it does not hear all nodes")
    for i = #said, 1, -1 do said[i] = nil end
    return said
  end

  it("says a line once, whatever is sent again", function()
    local west, east = server "west", server "east"
    local said = listening(east, west)
    for i = 1, 60 do west:said("ann", "line " .. i) end
    await(function() return #said == 60 end, function() return #said .. " lines of 60 were heard" end)
    for i = 0, 49 do assert(west.chat_map:resend("west:" .. i)) end -- as a repair does
    west:said("ann", "the last")
    await(function() return said[#said] == "ann: the last" end, "the last line was not heard")
    assert.equal(61, #said, "a line was repeated")
    close_all()
  end)

  it("says the lines of a server that was started again", function()
    local west, east = server "west", server "east"
    local said = listening(east, west)
    west:said("ann", "before")
    await(function() return said[1] == "ann: before" end, "the first line was not heard")
    west:close()
    hubs = { east }
    local again = server "west"
    again.line = again.line + 1000 -- a second later
    await(function() return #again.client:connected_nodes() == 3 end, "no connection")
    again:said("ann", "after")
    await(function() return said[2] == "ann: after" end, "the line after the start was not heard")
    close_all()
  end)
end)
