--- The callback style, and the end: close() has called everybody when it returns.
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local ffi = require "ffi"
local loop = require "wingman.loop"

pcall(ffi.cdef, [[
typedef struct spec_pollfd { int fd; short events; short revents; } spec_pollfd;
int poll(spec_pollfd *fds, unsigned long count, int timeout);
]])

--- Seconds for what takes milliseconds on a machine that has time.
local PATIENCE = eventually.PATIENCE

clusters.on_each(getfenv(1), "callbacks", function(shared, it)
  it("tell of an acknowledgement", function()
    local client = shared:started()
    local map, heard = client:map(shared:map_name()), {}
    assert(map:set("a", { n = 1 }, { on_ack = function(ok, err) heard[#heard + 1] = { "set", ok, err } end }))
    assert(client:drain(PATIENCE))
    eventually("on_ack of the set is called", function() return heard[1] end)
    assert(map:remove("a", { on_ack = function(ok, err) heard[#heard + 1] = { "remove", ok, err } end }))
    eventually("on_ack of the removal is called", function() return heard[2] end)
    client:close() -- which would call what has not been called
    assert.same({ { "set", true }, { "remove", true } }, heard)
  end)

  it("have been called when drain returns, in a task and outside of one, and in a callback", function()
    local client = shared:started()
    local map, heard, inner = client:map(shared:map_name()), 0, nil
    local function write(count)
      for i = 1, count do assert(map:set("k" .. i, i, { on_ack = function() heard = heard + 1 end })) end
    end
    local function check(expected)
      assert(client:drain(PATIENCE))
      assert.equal(expected, heard)
    end
    write(500)
    check(500)
    write(500)
    loop.spawn(check, 1000):wait(PATIENCE)
    map:set("k", 1, { on_ack = function()
      inner = { client:drain(PATIENCE), heard }
    end })
    write(500)
    assert(client:drain(PATIENCE))
    assert.same({ true, 1500 }, inner)
  end)

  it("are checked", function()
    local map = shared:started():map(shared:map_name())
    assert.error_matches(function() map:set("a", 1, { on_akc = print }) end, "map:set: unknown option 'on_akc'; did you mean 'on_ack'")
    assert.error_matches(function() map:set("a", 1, { on_ack = 1 }) end, "a function is expected")
    assert.error_matches(function() map:set("a", 1, print) end, "a table of options is expected")
  end)

  it("an error in one is reported and ends nothing", function()
    local client = shared:started()
    local map, heard = client:map(shared:map_name()), false
    map:set("a", 1, { on_ack = function() error "in the callback" end })
    map:set("b", 1, { on_ack = function() heard = true end })
    eventually("the second on_ack is called, and the log hears of the first", function()
      return heard and #shared:logged "callback_failed" > 0, heard
    end)
    assert.truthy(shared:logged("callback_failed")[1].error:find("in the callback", 1, true))
  end)

  it("a wait whose answer has come goes on before close returns", function()
    local client = shared:started()
    local seq = assert(client:map(shared:map_name()):set("a", 1))
    local waited
    loop.spawn(function() waited = client:wait(seq, PATIENCE) end)
    loop.iterate(0)
    -- In the turn that reads the acknowledgement the waiter only becomes ready.
    while client:stats().ops_acked == 0 do loop.iterate(0.01) end
    assert.is_nil(waited)
    client:close()
    assert.is_true(waited)
  end)

  it("close ends every wait before it returns", function()
    local client = shared:client { routing = function() return nil end }
    local name, ended, errors = shared:map_name(), 0, {}
    loop.spawn(function() -- nothing has a route: it goes on until the client is closed
      local _, err = client:start()
      errors.start = err.code
    end)
    eventually("every node is connected", function()
      local ids = client:connected_nodes()
      return #ids == #shared.cluster.nodes, ids
    end)
    local map = client:map(name)
    local seq = assert(map:set("a", 1, { on_ack = function(ok, err)
      assert.is_nil(ok)
      errors.on_ack = err.code
    end }))
    local waits = {
      drain = function() return client:drain() end,
      wait = function() return client:wait(seq) end,
      query = function()
        local _, err = client:query(name)
        while not client.closed do _, err = client:query(name) end
        return nil, err
      end,
      room = function() return client:wait_for_log() end,
    }
    for what, wait in pairs(waits) do
      loop.spawn(function()
        local ok, err = wait()
        assert.is_nil(ok)
        errors[what], ended = err.code, ended + 1
      end)
    end
    loop.iterate(0)
    client:close()
    assert.equal(4, ended)
    assert.equal("CLOSED", errors.start)
    assert.equal("CLOSED", errors.on_ack)
    assert.equal("CLOSED", errors.drain)
    assert.equal("CLOSED", errors.wait)
    assert.equal("CLOSED", errors.room)
    assert.is_not_nil(errors.query)
    for call, argument in pairs { drain = 1, query = name, repair = name, start = false, sync = false } do
      local ok, err = client[call](client, argument or nil)
      assert.is_nil(ok)
      assert.equal("CLOSED", err.code)
    end
  end)

  it("close during start ends start", function()
    local client = shared:client()
    local ok, err
    loop.spawn(function() ok, err = client:start() end)
    loop.iterate(0)
    client:close()
    assert.is_nil(ok)
    assert.equal("CLOSED", err.code)
  end)

  it("a coroutine of the host may make the first call", function()
    local client
    local co = coroutine.create(function()
      client = shared:client()
      assert(client:start())
      client:map(shared:map_name()):set("a", { n = 1 })
      coroutine.yield()
    end)
    assert(coroutine.resume(co))
    co = nil -- luacheck: ignore 311 (the collector must not find it here)
    collectgarbage()
    local done = false
    loop.spawn(function() done = assert(client:drain(PATIENCE)) end)
    eventually("all is acknowledged", function() return done end)
  end)

  it("fds and timeout say when a step has something to do", function()
    local client = shared:started()
    local map, acked = client:map(shared:map_name()), false
    while not client:step(1000) do end
    map:set("a", 1, { on_ack = function() acked = true end })
    assert.equal(0, client:timeout())
    local fds = client:fds()
    assert.equal(1, #fds)
    local set = ffi.new("spec_pollfd[1]", { { fd = fds[1], events = 1 } })
    local polls, begun = 0, loop.now()
    while not acked and loop.now() - begun < PATIENCE do
      client:step(500)
      local seconds = client:timeout()
      if not acked then ffi.C.poll(set, 1, seconds and math.ceil(seconds * 1000) or -1) end
      polls = polls + 1
    end
    assert.is_true(acked)
    assert.is_true(polls < 2000, polls .. " polls: it span")
  end)
end)
