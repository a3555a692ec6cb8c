--- Two real Minetest servers that share players, chat and a leaderboard through the
--- simulated cluster, by the mod in scripts/plugins/minetest. Without players: a mod of
--- the spec (spec/support/minetest) calls what the mod has registered.
local build = require "spec.support.build"
local embedded_cluster = require "wingman.testbed"
local loop = require "wingman.loop"
local process = require "wingman.loop.process"
local sockets = require "spec.support.sockets"

local PATIENCE = 60
local program = "/usr/games/minetestserver"
local missing
if build.is_sanitized then missing = "minetestserver is built without sanitizers"
elseif not io.open(program) then missing = "the package minetest-server is not installed" end

local function write(path, text)
  local file = assert(io.open(path, "a"))
  file:write(text)
  file:close()
end

describe("wingman_sync, on two Minetest servers,", function()
  if missing then
    for _, what in ipairs { "shares players, chat and scores", "survives the loss of a node", "survives the loss of a server",
      "has the leaderboard after a restart without a network, and gives it to nodes that came up empty" } do
      pending(what .. " (skipped: " .. missing .. ")")
    end
    return
  end

  local directory, cluster, servers

  local function start(server)
    local err
    server.process, err = process.spawn { file = program, stderr = true, env = { HOME = server.world }, args = {
      "--world", server.world, "--config", server.world .. "/minetest.conf", "--gameid", "devtest",
      "--port", tostring(server.port), "--logfile", server.world .. "/log",
    } }
    assert(server.process, err)
  end

  local function make(name, port)
    local server = { name = name, port = port, world = directory .. "/" .. name }
    assert(os.execute(("mkdir -p %s/worldmods && cp -r spec/support/minetest/wingman_sync_spec %s/worldmods")
      :format(server.world, server.world)) == 0)
    write(server.world .. "/world.mt", "gameid = devtest\nbackend = dummy\nplayer_backend = dummy\nauth_backend = files\n")
    write(server.world .. "/minetest.conf", table.concat({
      "mg_name = singlenode", "secure.trusted_mods = another_mod", "wingman_sync.token = " .. cluster.token,
      "wingman_sync.server = to be replaced", "bind_address = 127.0.0.1", "",
    }, "\n"))
    assert(os.execute(("scripts/plugins/minetest/install.sh '%s' '%s/minetest.conf' 'prefix=%s/prefix' 'seeds=%s' server=%s expiry=4")
      :format(server.world, server.world, directory, table.concat(cluster.urls, ","), name)) == 0)
    start(server)
    return server
  end

  local function kill(server)
    server.process:kill "SIGKILL"
    server.process:wait(PATIENCE)
    server.process:close()
  end

  local function start_again(server)
    os.remove(server.world .. "/orders")
    os.remove(server.world .. "/report")
    start(server)
  end

  local function order(server, line) write(server.world .. "/orders", line .. "\n") end

  local function report(server)
    local file = io.open(server.world .. "/report")
    if not file then return "" end
    local text = file:read "*a"
    file:close()
    return text
  end

  local function sees(server, text, otherwise)
    local seen = loop.wait_until(function()
      return (report(server):find(text, 1, true) ~= nil) == (otherwise ~= false)
    end, PATIENCE)
    if seen then return end
    local log = io.open(server.world .. "/log")
    error(("%s does not see '%s' but:\n%s\nlog:\n%s"):format(server.name, text, report(server), log and log:read "*a" or ""), 2)
  end

  setup(function()
    directory = os.tmpname()
    os.remove(directory)
    local install = assert(process.spawn { file = "cmake", args = { "--install", build.folder, "--prefix", directory .. "/prefix" } })
    assert(install:wait(PATIENCE) == 0)
    install:close()
    cluster = assert(embedded_cluster.start "sim://3")
    servers = { west = make("west", sockets.free_udp_port()), east = make("east", sockets.free_udp_port()) }
    sees(servers.west, "Nobody is on another server.")
    sees(servers.east, "Nobody is on another server.")
  end)

  teardown(function()
    for _, server in pairs(servers or {}) do kill(server) end
    if cluster then cluster:stop() end
    os.execute("rm -rf " .. directory)
  end)

  it("shares players, chat and scores", function()
    order(servers.west, "move ann 10 20 30")
    order(servers.east, "move bob 1 2 3")
    sees(servers.east, "ann on west at 10, 20, 30")
    sees(servers.west, "bob on east at 1, 2, 3")
    order(servers.west, "move ann 11 20 30")
    sees(servers.east, "ann on west at 11, 20, 30")
    order(servers.west, "say ann hello")
    sees(servers.east, "[west] <ann> hello")
    for _ = 1, 3 do order(servers.west, "dig ann") end
    order(servers.east, "dig bob")
    for _, server in pairs(servers) do sees(server, "1. ann 3\n2. bob 1") end
    order(servers.west, "leave ann")
    sees(servers.east, "ann on west", false)
    order(servers.west, "move ann 11 20 30")
    sees(servers.east, "ann on west at 11, 20, 30")
  end)

  it("survives the loss of a node", function()
    assert(cluster:kill "node-2")
    for i = 1, 12 do -- keys of all nodes
      order(servers.west, ("move guest%d %d 0 0"):format(i, i))
    end
    order(servers.west, "dig ann")
    for i = 1, 12 do sees(servers.east, ("guest%d on west at %d, 0, 0"):format(i, i)) end
    sees(servers.east, "1. ann 4")
    assert(cluster:restart "node-2")
    order(servers.east, "say bob back")
    sees(servers.west, "[east] <bob> back")
  end)

  it("survives the loss of a server", function()
    kill(servers.east)
    sees(servers.west, "bob on east", false) -- it has been silent for too long
    order(servers.west, "dig ann")
    sees(servers.west, "1. ann 5")
    start_again(servers.east)
    sees(servers.east, "1. ann 5\n2. bob 1") -- what happened meanwhile, and what it was
    order(servers.east, "move bob 4 5 6")
    sees(servers.west, "bob on east at 4, 5, 6")
  end)

  it("has the leaderboard after a restart without a network, and gives it to nodes that came up empty", function()
    kill(servers.east)
    for _, node in ipairs(cluster.nodes) do assert(cluster:kill(node.id)) end
    start_again(servers.east)
    sees(servers.east, "1. ann 5\n2. bob 1\n(This may be old: as of ")
    sees(servers.east, "players: snapshot (")
    order(servers.east, "move bob 7 8 9")
    order(servers.east, "dig bob")
    sees(servers.east, "2. bob 2")
    for _, node in ipairs(cluster.nodes) do assert(cluster:restart(node.id)) end
    for _, server in pairs(servers) do
      sees(server, "1. ann 5\n2. bob 2")
      sees(server, "This may be old", false)
    end
    sees(servers.west, "bob on east at 7, 8, 9")
    sees(servers.west, "players: live, complete ")
  end)
end)
