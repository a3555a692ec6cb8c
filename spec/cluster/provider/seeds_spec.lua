--- Seeds: names with several addresses, dead seeds, the way back when every node is
--- gone. Names are given addresses by the option resolver, or by a getaddrinfo of the
--- spec's own that is preloaded into a child.
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local process = require "wingman.loop.process"
local sockets = require "spec.support.sockets"

--- Loopback addresses on which no node listens.
local DEAD, DEAD_TOO = "127.0.0.9", "127.0.0.10"
local LIVE = "127.0.0.1"

local both_dialects = { "sim://3", "sim://3?dialect=0.11" }

clusters.on_each(getfenv(), "seeds", function(shared, it)
  local listeners, resolved = {}, nil

  -- A listener at another address, with the port of the cluster's first node.
  local function at(kind, address)
    local port = tonumber(shared.cluster.urls[1]:match ":(%d+)")
    local listener = sockets[kind](address, port)
    listeners[#listeners + 1] = listener
    return listener
  end

  -- A client of one seed: a name with these addresses.
  local function client_of(addresses, options)
    options = options or {}
    options.cluster = { seeds = { (shared.cluster.urls[1]:gsub("127%.0%.0%.1", "cluster.test")) } }
    options.endpoint, options.reconnect = options.endpoint or "seeds", options.reconnect or "never"
    resolved = {}
    options.resolver = options.resolver or function(host)
      resolved[#resolved + 1] = host
      return addresses
    end
    return shared:client(options)
  end

  local function started(addresses, options)
    local client = client_of(addresses, options)
    assert(client:start())
    return client
  end

  -- One attempt may take longer than the whole start: who waits for its end does not start.
  local function patient_with_each() return { connect_timeout = 120, start_timeout = 30 } end

  after_each(function()
    for _, listener in ipairs(listeners) do listener:close() end
    listeners = {}
  end)

  it("are looked up by the option resolver, which may wait", function()
    local client = started(nil, { resolver = function(host)
      loop.sleep(0.02)
      assert.equal("cluster.test", host)
      return { LIVE }
    end })
    assert.same({ "node-1" }, client:connected_nodes())
  end)

  it("connect though the first address leads nowhere, 250 ms later", function()
    assert.is_table(at("blackhole", DEAD))
    local begun = loop.now()
    local client = started({ DEAD, LIVE }, patient_with_each())
    assert.same({ "cluster.test" }, resolved)
    assert.is_true(loop.now() - begun >= 0.24, "the first address had no time")
    assert.equal(1, client:health().nodes[1].connects)
  end)

  it("connect though the first address accepts and says nothing, and close that one", function()
    local silent = at("listen", DEAD)
    started({ DEAD, LIVE }, patient_with_each())
    local loser = assert(silent:accept(), "the first address was not tried")
    assert.truthy(loser:read():find "^GET ", "no upgrade was asked for")
    assert(loser:is_closed_within(60), "the loser stays open")
  end)

  it("take the next address at once when one refuses", function()
    local listener, addresses = at("listen", DEAD), {}
    for i = 20, 34 do addresses[#addresses + 1] = "127.0.0." .. i end
    addresses[#addresses + 1] = DEAD
    local client, looks = client_of(addresses), 0
    loop.spawn(client.start, client)
    eventually("the last address is tried", function()
      looks = looks + 1
      return listener:accept()
    end)
    -- A look comes every 5 ms at most: 750 of them if 15 times 250 ms were waited.
    assert.is_true(looks < 250, looks .. " looks")
  end)

  it("try both families in turns", function()
    local first, second, other = at("listen", DEAD), at("listen", DEAD_TOO), at("listen", "::1")
    if not other then return pending "there is no IPv6 here" end
    local order = {}
    local client = client_of { DEAD, DEAD_TOO, "::1", LIVE }
    -- A timer of the loop runs before the sockets in each turn: it sees each attempt before
    -- the next one is begun, however late the turn is.
    local function look()
      for name, listener in pairs { first = first, second = second, other = other } do
        if listener:accept() then order[#order + 1] = name end
      end
      if #order < 3 then loop.timer(0.005, look) end
    end
    look()
    assert(client:start())
    assert.same({ "first", "other", "second" }, order)
  end)

  it("fail with the reason of the address that came furthest", function()
    local client = client_of({ DEAD, DEAD_TOO }, { start_timeout = 60 })
    local ok, err = client:start()
    assert.is_nil(ok)
    assert.equal("refused", client:health().nodes[1].last_reason)
    assert.truthy(err.message:find("cluster.test", 1, true))
    client:close()
    assert.is_table(at("blackhole", DEAD))
    client = client_of({ DEAD, DEAD_TOO }, { start_timeout = 60, connect_timeout = 0.4 })
    assert.is_nil((client:start()))
    assert.equal("connect_timeout", client:health().nodes[1].last_reason)
  end)

  it("whose resolver knows nothing, or makes a mistake, have no address yet", function()
    local answers = {
      function() return nil, "no such host" end, function() return {} end, function() error "a mistake" end,
      function() return { "not an address" } end, function() return { 7 } end, function() return 7 end,
      function() loop.sleep(60) end,
    }
    local texts = { "no such host", "has no address", "a mistake", "'not an address' is not an IPv4 or IPv6 address", "'7'",
      "no addresses of 'cluster.test'", "no answer for 'cluster.test'" }
    local asked, reasons = 0, {}
    local client = client_of(nil, {
      connect_timeout = 0.5, start_timeout = 60,
      reconnect = function(_, _, reason)
        reasons[#reasons + 1] = reason
        return 0.01
      end,
      resolver = function()
        asked = asked + 1
        local health = client_of and shared.clients[#shared.clients].provider.connections.nodes[1]
        if asked > 1 and asked <= #answers + 1 then assert.truthy(health.last_detail:find(texts[asked - 1], 1, true), health.last_detail) end
        return (answers[asked] or function() return { LIVE } end)()
      end,
    })
    assert(client:start())
    assert.is_true(asked > #answers, asked .. " were asked")
    assert.same({ "dns", "dns", "dns", "dns", "dns", "dns", "dns" }, { unpack(reasons, 1, #answers) })
  end)

  it("that are dead do not delay the start", function()
    local dead = assert(sockets.blackhole(DEAD))
    listeners[#listeners + 1] = dead
    local silent = assert(sockets.listen(DEAD))
    listeners[#listeners + 1] = silent
    local client = shared:client {
      cluster = { seeds = { ("ws://%s:%d"):format(DEAD, dead.port), ("ws://%s:%d"):format(DEAD, silent.port),
        "ws://nowhere.test:9000", unpack(shared.cluster.urls) } },
      resolver = function() loop.sleep(3600) end, connect_timeout = 120, start_timeout = 30,
    }
    assert(client:start())
    assert.equal(3, #client:connected_nodes())
  end)

  it("are tried for as long as no node is there, and the client comes back by any of them", function()
    local client = shared:started {
      cluster = { seeds = { shared.cluster.urls[1], shared.cluster.urls[2] } }, endpoint = "seeds",
      reconnect = { first = 0.005, max = 0.005, jitter = 0 },
    }
    assert.equal(2, #client:connected_nodes())
    local gave_up = false
    client:on("state", function(to) gave_up = gave_up or to == "ERROR" end)
    for _, id in ipairs { "node-1", "node-2" } do assert(shared.cluster:fault(id, "refuse")) end
    for _, id in ipairs { "node-1", "node-2" } do assert(shared.cluster:fault(id, "close", 1001)) end
    local function lost_of(i) return client.provider.connections.by_id[client.provider.connections.nodes[i].connection_ids[1]].attempt end
    eventually("both seeds are tried again and again", function() return lost_of(1) > 15 and lost_of(2) > 15 end)
    assert(client:map(shared:map_name()):set("k", 1))
    -- At once: with one of them connected, the other would be given up at its next refusal.
    assert(shared.cluster:fault("all", "none"))
    eventually("2 nodes are connected", function() return #client:connected_nodes() == 2, client:connected_nodes() end)
    assert.is_false(gave_up)
  end)

  it("that were given up while others were there are tried again when those are lost", function()
    local client = shared:started {
      cluster = { seeds = { shared.cluster.urls[1] } },
      endpoint = function(id)
        for i, node in ipairs(shared.cluster.nodes) do
          if node.id == id then return shared.cluster.urls[i] end
        end
      end,
      reconnect = { first = 0.005, max = 0.005, jitter = 0 },
    }
    eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
    assert(shared.cluster:fault("node-1", "refuse"))
    assert(shared.cluster:fault("node-1", "close", 1001))
    eventually("one node is given up", function() return #shared:logged "node_given_up" == 1, #shared:logged "node_given_up" end)
    for _, id in ipairs { "node-2", "node-3" } do assert(shared.cluster:fault(id, "refuse")) end
    for _, id in ipairs { "node-2", "node-3" } do assert(shared.cluster:fault(id, "close", 1001)) end
    eventually("three nodes are given up", function() return #shared:logged "node_given_up" >= 3, #shared:logged "node_given_up" end)
    assert(shared.cluster:fault("node-1", "none"))
    eventually("the first seed is connected again", function() return client:connected_nodes()[1] == "node-1", client:connected_nodes()[1] end)
    assert(shared.cluster:fault("all", "none"))
  end)
end, both_dialects)

-- The names of the system, in a process whose getaddrinfo is the spec's.
describe("names of the system's resolver", function()
  local library, listeners = nil, {}

  setup(function()
    library = os.tmpname()
    local command = ("%s -shared -fPIC -O1 -o '%s' spec/support/fake_dns.c"):format(os.getenv "CC" or "cc", library)
    assert(os.execute(command) == 0, command)
  end)
  teardown(function()
    os.remove(library)
    for _, listener in ipairs(listeners) do listener:close() end
  end)

  -- Runs spec/support/dns_child.lua; its lines, and its exit code.
  local function run(names, ...)
    local child = assert(process.spawn {
      file = process.wingman_path(), args = { "run", "spec/support/dns_child.lua", ... },
      env = { LD_PRELOAD = library, FAKE_DNS = names,
        ASAN_OPTIONS = (os.getenv "ASAN_OPTIONS" or "") .. ":verify_asan_link_order=0" },
    })
    local lines = {}
    for line in function() return child:read_line(60) end do lines[#lines + 1] = line end
    local code = child:wait(60)
    child:close()
    return table.concat(lines, "\n"), code
  end

  it("are raced", function()
    local hole = assert(sockets.blackhole(DEAD))
    listeners[#listeners + 1] = hole
    local text, code = run(("two.test=0:%s,%s"):format(DEAD, LIVE), "start", "two.test", tostring(hole.port))
    assert.equal(0, code, text)
    assert.truthy(text:find("connected", 1, true), text)
  end)

  it("do not hold up the loop while they are looked up", function()
    local hole = assert(sockets.listen(DEAD)) -- for a port that is free
    listeners[#listeners + 1] = hole
    local text, code = run("slow.test=600:" .. LIVE, "start", "slow.test", tostring(hole.port))
    assert.equal(0, code, text)
    -- A tick is due every 5 ms; a loop that stands still for the 600 ms has hardly any.
    local ticks = text:match "connected after (%d+) ticks"
    assert.is_true(ticks ~= nil and tonumber(ticks) >= 10, text)
  end)

  it("that do not exist are told apart", function()
    local text, code = run("none.test=0", "start", "none.test", "9000")
    assert.equal(0, code, text)
    assert.truthy(text:find("failed: dns", 1, true), text)
  end)

  it("may be looked up still when the client and the process end", function()
    local text, code = run("slow.test=300:127.0.0.1", "leave", "slow.test", "9000")
    assert.equal(0, code, text)
    assert.truthy(text:find("left", 1, true), text)
  end)
end)
