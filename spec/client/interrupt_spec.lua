--- SIGINT and SIGTERM: real processes, real signals.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local ffi = require "ffi"
local loop = require "wingman.loop"
local process = require "wingman.loop.process"
local sockets = require "spec.support.sockets"

ffi.cdef "int kill(int pid, int sig);"

local LUAJIT = "luajit"
--- Seconds for what takes milliseconds on a machine that has time.
local PATIENCE = eventually.PATIENCE

-- A script in a process of its own; the token and the URLs of a cluster are its
-- arguments.
local function start(text, shared)
  local args = { "run", "-" }
  if shared then
    args[3] = shared.cluster.token
    for _, url in ipairs(shared.cluster.urls) do args[#args + 1] = url end
  end
  local child = assert(process.spawn { file = process.wingman_path(), args = args, stdin = true, stderr = true })
  assert(child:write(text))
  child:close_stdin()
  return child
end

-- The end of a child: its code (or signal), what it wrote to standard error, seconds since `signalled`:
-- at least so many, as the time is taken before the signal is sent.
local function finish(child, signalled)
  local err = child:read_all(PATIENCE, "stderr")
  local code, signal = child:wait(PATIENCE)
  local took = loop.now() - signalled
  child:close()
  return signal or code, err, took
end

local function interrupt(child, signal)
  local now = loop.now()
  assert(child:kill(signal or "SIGINT"))
  return now
end

-- What was said at the end, without the waiting for acknowledgements: on a busy machine that is
-- long enough for a word.
local function without_waiting(err)
  return (err:gsub("^wingman: waiting[^\n]+\nwingman: all are acknowledged[^\n]+\n", ""))
end

local function has_child(pid)
  local file = io.open(("/proc/%d/task/%d/children"):format(pid, pid))
  local pids = file and file:read "*a" or ""
  if file then file:close() end
  return pids ~= ""
end

describe("an interrupted script", function()
  local child
  local function run(...) child = start(...) return child end
  after_each(function() if child then child:close() end end)

  local ends = {
    SIGINT = { 130, "wingman: interrupted\n" }, SIGTERM = { 143, "wingman: terminated\n" }, SIGHUP = { 129, "wingman: hung up\n" },
  }
  for signal, expected in pairs(ends) do
    local code, words = unpack(expected)
    it("that only waits ends at once with " .. code .. " by " .. signal, function()
      run [[local w = require "wingman" w.run(function() print "waiting" io.flush() w.sleep(3600) end)]]
      assert(child:read_line(PATIENCE))
      local ended, err = finish(child, interrupt(child, signal))
      assert.equal(code, ended)
      assert.equal(words, err)
    end)
  end

  it("that has no client but a loop ends at once", function()
    run [[local l = require "wingman.loop" l.run(function() print "waiting" io.flush() l.sleep(3600) end)]]
    assert(child:read_line(PATIENCE))
    local ended, err = finish(child, interrupt(child))
    assert.same({ 130, "wingman: interrupted\n" }, { ended, err })
  end)

  it("does what loop.on_signal says, in place of all else", function()
    run [[
      local w, l = require "wingman", require "wingman.loop"
      local came = l.future()
      l.on_signal(function(signal) came:resolve(signal) end)
      w.run(function() print "waiting" io.flush() print(came:wait()) end)
    ]]
    assert.equal("waiting", child:read_line(PATIENCE))
    interrupt(child, "SIGTERM")
    assert.equal("SIGTERM", child:read_line(PATIENCE))
    assert.equal(143, (child:wait(PATIENCE)))
  end)

  it("ends a command that connects, by the signal's code and in one word", function()
    local silent = assert(sockets.listen "127.0.0.1")
    finally(function() silent:close() end)
    local url = "ws://127.0.0.1:" .. silent.port
    local RAISES = "assert(client:start())"
    local RETURNS = "if not client:start() then return 1 end"
    local EXITS = "if not client:start() then os.exit(1, true) end"
    for _, one in ipairs {
      { "probe", "--timeout", "1h", url }, { "repl", "-e", "print 'not reached'", url },
      { "run", "-", url, script = RAISES }, { "run", "-", url, script = RETURNS }, { "run", "-", url, script = EXITS },
      { "run", "scripts/quickstart.lua", "--cluster", url },
    } do
      local args = { unpack(one) }
      child = assert(process.spawn { file = process.wingman_path(), args = args, stdin = true, stderr = true })
      child:write(([[local w = require "wingman" return w.run(function()
        local client = w.client { cluster = arg[1], start_timeout = "1h" } %s end)]]):format(one.script or ""))
      child:close_stdin()
      eventually(args[1] .. " connects", function() return silent:accept() end)
      local code, err = finish(child, interrupt(child))
      assert.same({ 130, "wingman: interrupted\n" }, { code, err }, table.concat(args, " ") .. (one.script or ""))
    end
  end)

  -- The nodes of the cluster are starting, or its client connects: the signal comes when the
  -- first process of the cluster is there.
  for signal, code in pairs { SIGINT = 130, SIGTERM = 143, SIGHUP = 129 } do
    it("ends a prompt whose cluster is starting, with " .. code .. " by " .. signal, function()
      child = assert(process.spawn { file = process.wingman_path(), args = { "repl", "-e", "sleep(60)", "sim://1" }, stderr = true })
      assert(loop.wait_until(function() return has_child(child.pid) end, 20), "no process of the cluster was started")
      assert.equal(code, (finish(child, interrupt(child, signal))))
    end)
  end

  it("that waits outside of tasks, or only steps, ends too", function()
    for _, wait in ipairs { "w.sleep(60)", "while true do w.step(100) end" } do
      run([[local w = require "wingman" print "waiting" io.flush() ]] .. wait)
      assert(child:read_line(PATIENCE))
      assert.equal(130, (finish(child, interrupt(child))))
    end
  end)

  it("ends when the signal comes while it closes a client", function()
    run [[
      local ffi, w = require "ffi", require "wingman"
      ffi.cdef "int raise(int sig);"
      w.run(function()
        local client = w.client { server = "ws://127.0.0.1:1", log_to = function() end }
        ffi.C.raise(15)
        client:close()
        w.sleep(60)
      end)]]
    assert.equal(143, (finish(child, loop.now())))
  end)

  it("ends in one word when the signal comes while modules load", function()
    -- wingman.core is there before the script: its options are checked with it.
    for _, module in ipairs { "wingman.loop", "wingman.client", "wingman.client.interrupt" } do
      run(([[
        local ffi = require "ffi"
        ffi.cdef "int raise(int sig);"
        jit.off()
        table.insert(package.loaders, 1, function(name)
          if name == %q then ffi.C.raise(2) end
        end)
        require("wingman").sleep(60)]]):format(module))
      local ended, err = finish(child, loop.now())
      assert.same({ 130, "wingman: interrupted\n" }, { ended, err }, module)
    end
    run [[ -- in the middle of loading wingman.core, as the executable raises it
      package.loaded["wingman.loop"], package.loaded["wingman.core"] = newproxy(), newproxy()
      local ffi = require "ffi"
      ffi.cdef "int raise(int sig);"
      jit.off()
      ffi.C.raise(2)
      while true do pcall(function() end) end]]
    local ended, err = finish(child, loop.now())
    assert.same({ 130, "wingman: interrupted\n" }, { ended, err })
  end)

  it("that has no loop ends at once", function()
    run [[jit.off() print "busy" io.flush() while true do pcall(function() end) end]]
    assert(child:read_line(PATIENCE))
    local ended, err = finish(child, interrupt(child))
    assert.equal(130, ended)
    assert.equal("wingman: interrupted\n", err) -- and not that it does not give way
  end)

  it("that is compiled and never gives way ends after some seconds", function()
    -- It says that it is busy in compiled code, which never looks for a signal: written are 5
    -- bytes at the 100,000th turn, and none at each other one.
    run [[
      local ffi = require "ffi"
      ffi.cdef "long write(int fd, const void *bytes, size_t count);"
      local w = require "wingman"
      w.run(function()
        local turns = 0
        while true do
          turns = turns + 1
          ffi.C.write(1, "busy\n", math.max(0, 5 - 5 * math.abs(turns - 1e5)))
        end
      end)]]
    assert.equal("busy", child:read_line(PATIENCE))
    local ended, err, took = finish(child, interrupt(child, "SIGTERM"))
    assert.equal(143, ended)
    assert.truthy(err:find("does not give way", 1, true), err)
    assert.is_true(took > 3, "it took " .. took)
  end)

  it("that catches every error is ended all the same", function()
    run [[
      jit.off()
      local w = require "wingman"
      w.run(function()
        w.sleep(0.01)
        print "busy" io.flush()
        while true do pcall(function() for i = 1, 1000 do end end) end
      end)]]
    assert(child:read_line(PATIENCE))
    assert.equal(130, (finish(child, interrupt(child))))
  end)

  it("ends at once by a second signal", function()
    run [[
      local w = require "wingman"
      w.run(function()
        local client = w.client { server = "ws://127.0.0.1:1", log_to = function() end }
        client:map "m":set("k", 1)
        print "waiting" io.flush()
        w.sleep(60)
      end)]]
    assert(child:read_line(PATIENCE))
    interrupt(child)
    assert.truthy(child:read_line(PATIENCE, "stderr"):find("waiting up to 10 s for the acknowledgements of 1 writes", 1, true))
    local ended, err = finish(child, interrupt(child, "SIGTERM"))
    assert.equal(143, ended)
    assert.is_nil(err:find("were not acknowledged", 1, true), err) -- it did not wait to the end
  end)

  it("that has registered a function ends as it likes", function()
    run [[
      local w, interrupt = require "wingman", require "wingman.interrupt"
      local ended
      return w.run(function()
        local never = function() print "never" end
        interrupt.on(never)
        interrupt.on(function(signal) w.sleep(0.05) print(signal) io.flush() ended = true end)
        interrupt.off(never)
        print "waiting" io.flush()
        while not ended do w.sleep(0.01) end
        return 7
      end)]]
    assert(child:read_line(PATIENCE))
    local signalled = interrupt(child, "SIGTERM")
    assert.equal("SIGTERM", child:read_line(PATIENCE))
    local ended, err = finish(child, signalled)
    assert.equal(7, ended)
    assert.equal("", err)
  end)

  it("may go on, and is asked again by the next signal", function()
    run [[
      local w, interrupt = require "wingman", require "wingman.interrupt"
      w.run(function()
        local count = 0
        interrupt.on(function() count = count + 1 interrupt.rearm() print(count) io.flush() end)
        print "waiting" io.flush()
        while count < 3 do w.sleep(0.01) end
      end)]]
    assert.equal("waiting", child:read_line(PATIENCE))
    for i = 1, 3 do
      interrupt(child)
      assert.equal(tostring(i), child:read_line(PATIENCE))
    end
    local ended, err = finish(child, loop.now())
    assert.equal(0, ended)
    assert.equal("", err)
  end)

  it("shows its own error when it has one", function()
    run [[
      local w, interrupt = require "wingman", require "wingman.interrupt"
      w.run(function()
        local now
        interrupt.on(function() now = true end)
        print "waiting" io.flush()
        while not now do w.sleep(0.01) end
        error "on purpose"
      end)]]
    assert(child:read_line(PATIENCE))
    local ended, err = finish(child, interrupt(child))
    assert.equal(130, ended)
    assert.truthy(err:find("on purpose", 1, true))
    assert.truthy(err:find("traceback", 1, true))
  end)
end)

describe("a host that embeds the module", function()
  it("keeps its own signals", function()
    local file = assert(io.popen(("command -v %s"):format(LUAJIT)))
    local found = file:read "*l"
    file:close()
    if not found then return pending "there is no luajit" end
    local folder = core.path:match "^(.*)/lib/wingman/core%.so$"
    if folder:find("sanitized", 1, true) then return pending "such a module needs its own executable" end
    local child = assert(process.spawn { file = LUAJIT, args = { "-" }, stdin = true, stderr = true, env = {
      LUA_CPATH = folder .. "/lib/?.so;;", LUA_PATH = package.path,
    } })
    child:write [[
      local w = require "wingman"
      w.run(function()
        local client = w.client { server = "ws://127.0.0.1:1", log_to = function() end }
        client:map "m":set("k", 1)
        for line in io.lines "/proc/self/status" do
          local caught = line:match "^SigCgt:%s*(%x+)"
          if caught then print(caught) io.flush() end
        end
        w.sleep(60)
      end)]]
    child:close_stdin()
    local caught = child:read_line(PATIENCE)
    if not caught then error(child:read_all(PATIENCE, "stderr")) end -- asked for only then: it awaits the child's end
    -- Bits 1 and 14 of the mask: SIGINT is luajit's own, SIGTERM nobody's.
    assert.equal(0, bit.band(bit.rshift(tonumber(caught:sub(-8), 16), 14), 1))
    child:kill "SIGTERM"
    local _, signal = child:wait(PATIENCE)
    assert.equal("SIGTERM", signal)
    child:close()
  end)
end)

-- A client of the cluster whose URLs and token are the arguments; `body` has client and map.
local function client_script(options, body)
  return ([[
    local w, interrupt = require "wingman", require "wingman.interrupt"
    local seeds = {}
    for i = 2, #arg do seeds[#seeds + 1] = arg[i] end
    w.run(function()
      interrupt.limit = 600 -- so that it is no matter how busy the machine is
      local client = assert(w.client { cluster = { seeds = seeds }, auth = { token = arg[1] }, log_to = function() end, %s })
      assert(client:start())
      local map = client:map "interrupted"
      %s
      io.flush()
      w.sleep(60)
    end)]]):format(options, body)
end

local names = { "node-1", "node-2", "node-3" }
local PATIENT = "heartbeat = { timeout = 60 }, unanswered = 60, batch = { ack_timeout = 60 }"

clusters.on_each(getfenv(), "an interrupted script", function(shared, it)
  local child
  local function run(options, body)
    child = start(client_script(options, body), shared)
  end

  -- A place where the script waits for this process: the line that does, and what ends it.
  local gates = {}
  local function gate()
    local path = os.tmpname()
    os.remove(path)
    gates[#gates + 1] = path
    return ("while not io.open(%q) do w.sleep(0.005) end"):format(path), function() assert(io.open(path, "w")):close() end
  end
  after_each(function()
    for i = #gates, 1, -1 do os.remove(table.remove(gates, i)) end
  end)

  -- How many of the `count` keys the cluster has, each with its own value.
  local function stored(count, sign)
    local values = shared:values(shared:started(), "interrupted")
    local found = 0
    for i = 1, count do found = found + (values["key-" .. i] == i * sign and 1 or 0) end
    return found
  end

  it("sends what it holds, and waits for the acknowledgements", function()
    run("batch = { linger = 60 }", [[for i = 1, 500 do assert(map:set("key-" .. i, i)) end print "written"]])
    assert.equal("written", child:read_line(PATIENCE))
    local code, err = finish(child, interrupt(child))
    assert.equal(130, code)
    assert.equal("wingman: interrupted\n", without_waiting(err))
    assert.equal(500, stored(500, 1))
  end)

  it("says what it waits for, and that it came", function()
    local wait, go_on = gate()
    run(PATIENT, ([[
      print "ready" io.flush()
      %s
      for i = 1, 300 do assert(map:set("key-" .. i, -i)) end
      print "written"]]):format(wait))
    assert.equal("ready", child:read_line(PATIENCE))
    for _, id in ipairs(names) do assert(shared.cluster:pause(id)) end
    go_on()
    assert.equal("written", child:read_line(PATIENCE))
    local signalled = interrupt(child)
    local line = child:read_line(PATIENCE, "stderr")
    for _, id in ipairs(names) do assert(shared.cluster:resume(id)) end
    assert.equal("wingman: waiting up to 600 s for the acknowledgements of 300 writes; a second signal ends at once", line)
    local code, err = finish(child, signalled)
    assert.equal(130, code)
    assert.truthy(err:match "^wingman: all are acknowledged, after [%d.]+ %a+\nwingman: interrupted\n$", err)
    assert.equal(300, stored(300, -1))
  end)

  it("that closes its client meanwhile learns what that one had", function()
    local wait, go_on = gate()
    local wait_again, close = gate()
    run(PATIENT, ([[
      print "ready" io.flush()
      %s
      for i = 1, 300 do assert(map:set("key-" .. i, i)) end
      print "written" io.flush()
      %s
      client:close()]]):format(wait, wait_again))
    assert.equal("ready", child:read_line(PATIENCE))
    for _, id in ipairs(names) do assert(shared.cluster:pause(id)) end
    go_on()
    assert.equal("written", child:read_line(PATIENCE))
    local signalled = interrupt(child)
    local line = child:read_line(PATIENCE, "stderr")
    close()
    local code, err = finish(child, signalled)
    for _, id in ipairs(names) do assert(shared.cluster:resume(id)) end
    assert.equal(130, code)
    assert.equal("wingman: waiting up to 600 s for the acknowledgements of 300 writes; a second signal ends at once", line)
    assert.equal("wingman: the script closed a client meanwhile that had up to 300 writes without an acknowledgement\nwingman: interrupted\n", err)
  end)

  it("that does not come back to its loop is ended by an error, and drained then", function()
    run("batch = { linger = 60 }", [[
      jit.off()
      for i = 1, 500 do assert(map:set("key-" .. i, i)) end
      print "written" io.flush()
      while true do pcall(tostring, 1) end]])
    assert.equal("written", child:read_line(PATIENCE))
    local code, err, took = finish(child, interrupt(child))
    assert.equal(130, code)
    assert.equal("wingman: interrupted\n", without_waiting(err))
    assert.is_true(took > 0.9, "no time was given: " .. took)
    assert.equal(500, stored(500, 1))
  end)
end)

clusters.on_each(getfenv(), "an interrupted script", function(shared, it)
  local AWAY = [[
    interrupt.limit = 0.3
    print "ready" io.flush()
    while #client:connected_nodes() > 0 do w.sleep(0.01) end
    for i = 1, 12 do assert(map:set("key-" .. i, -i)) end
    print "written"]]

  local function interrupted_without_nodes(options)
    local child = start(client_script(options, AWAY), shared)
    assert.equal("ready", child:read_line(PATIENCE))
    for _, id in ipairs(names) do assert(shared.cluster:kill(id)) end
    assert.equal("written", child:read_line(PATIENCE))
    local code, err = finish(child, interrupt(child, "SIGTERM"))
    for _, id in ipairs(names) do assert(shared.cluster:restart(id)) end
    assert.equal(143, code)
    return err
  end

  it("whose nodes are away tells what stayed, and why", function()
    local err = interrupted_without_nodes "reconnect = function() return 0.05 end"
    assert.truthy(err:find("waiting up to 0.3 s for the acknowledgements of 12 writes", 1, true), err)
    assert.truthy(err:find("12 writes were not acknowledged: 12 without a node to go to\n", 1, true), err)
    assert.truthy(err:find("wingman:   node%-1 at ws://[^\n]*: %a"), err)
    assert.is_nil(err:find("kept in", 1, true))
    assert.truthy(err:find("wingman: terminated\n", 1, true), err)
  end)

  it("tells where they are kept", function()
    local path = os.tmpname()
    os.remove(path)
    local err = interrupted_without_nodes(("oplog = { path = %q }"):format(path))
    assert.truthy(err:find("wingman: they are kept in " .. path .. "\n", 1, true), err)
    local heir = shared:client { oplog = { path = path } }
    assert.equal(12, heir:pending_ops())
    assert(heir:start())
    assert(heir:drain(PATIENCE))
    os.execute(("rm -f '%s' '%s'-*"):format(path, path))
  end)
end, { "sim://3" })

describe("a script that is interrupted at a terminal", function()
  it("has its embedded cluster until all is acknowledged", function()
    -- Its own process group stands for the terminal's.
    local child = assert(process.spawn { file = "setsid", args = { process.wingman_path(), "run", "-" }, stdin = true,
      stderr = true })
    child:write [[
      local w = require "wingman"
      w.run(function()
        local client = w.client { cluster = "sim://2", batch = { linger = 60 } }
        assert(client:start())
        for i = 1, 500 do assert(client:map "m":set("key-" .. i, i)) end
        print "written" io.flush()
        w.sleep(60)
      end)]]
    child:close_stdin()
    assert.equal("written", child:read_line(PATIENCE))
    assert.equal(0, ffi.C.kill(-child.pid, 2))
    local code, err = finish(child, loop.now())
    assert.equal(130, code)
    assert.equal("wingman: interrupted\n", without_waiting(err))
  end)
end)
