--- Each allocation of the core fails once, one in each process: the script hears of an error,
--- or all goes well. Nothing crashes and no value is another one.
local build = require "spec.support.build"
local core = require "wingman.core"
local process = require "wingman.loop.process"
local sim = require "wingman.sim"
local sim_support = require "spec.core.sim.support"
local wingman = require "wingman"

--- Processes of one run, and the seconds that each may take on a busy machine.
local RUNS, PATIENCE = 30, 120
--- Seconds that each waits for the cluster: the one in which nothing fails has them all, others may
--- wait in vain.
local WAITS, WAITS_IN_VAIN = 60, 3

describe("little memory", function()
  if build.is_sanitized then
    pending("each allocation fails once (skipped: the sanitizers have an allocator of their own)")
    return
  end

  local folder, cluster

  setup(function()
    local pipe = assert(io.popen "mktemp -d")
    folder = pipe:read "*l"
    pipe:close()
    local command = ("%s -shared -fPIC -O1 -o '%s/failing_malloc.so' spec/support/failing_malloc.c"):format(os.getenv "CC" or "cc", folder)
    assert(os.execute(command) == 0, command)
    cluster = assert(sim.start { nodes = 2 })
  end)
  teardown(function()
    if cluster then cluster:stop() end
    os.execute("rm -rf " .. folder)
  end)

  -- Runs a script of spec/support on a cluster, in which it orders allocations to fail; what it
  -- writes, or its error.
  local function run_script(name, on)
    local child = assert(process.spawn {
      file = process.wingman_path(), args = { "run", "spec/support/" .. name }, stderr = true,
      env = { LD_PRELOAD = folder .. "/failing_malloc.so", WINGMAN_FAIL_AT = "0", SPEC_URLS = table.concat(on.urls, ","),
        SPEC_TOKEN = on.token, SPEC_OPLOG = folder .. "/log" },
    })
    local output = child:read_all(PATIENCE)
    local code, signal = child:wait(PATIENCE)
    local errors = child:read_all(PATIENCE, "stderr")
    child:close()
    assert.equal(0, code, ("signal %s: %s"):format(tostring(signal), errors))
    return output
  end

  it("for a dead letter is reported by the op log's file, which has its operation until it has the letter", function()
    os.execute(("rm -rf %s/log*"):format(folder))
    assert.equal("memory recovered\t1\n", run_script("little_memory_letter.lua", cluster))
    local client = assert(wingman.client { server = "ws://127.0.0.1:1", oplog = { path = folder .. "/log" }, log_to = function() end })
    local letters = client:rejected()
    assert.same({ 1, "bad-name", "k", 0 }, { #letters, letters[1] and letters[1].map, letters[1] and letters[1].key, client:pending_ops() })
    client:close()
  end)

  it("for the partitions of operations holds all of them until it can be had", function()
    local other = assert(sim.start { nodes = 2, dialect = "0.11", hash = "xxh64" })
    finally(function() other:stop() end)
    assert.equal("nil\tout of memory\nheld\t50\nacknowledged\ttrue\n", run_script("little_memory_routes.lua", other))
  end)

  it("for a message of megabytes is needed once: no step of a host copies it", function()
    local child = assert(process.spawn {
      file = process.wingman_path(), args = { "run", "spec/support/little_memory_message.lua" }, stderr = true,
      env = { LD_PRELOAD = folder .. "/failing_malloc.so", WINGMAN_FAIL_AT = "0",
        SPEC_URLS = cluster.urls[1], SPEC_TOKEN = cluster.token },
    })
    finally(function() child:close() end)
    assert.equal("ready", child:read_line(PATIENCE))
    local texts = {}
    for i = 1, 40 do texts[i] = ("%02d"):format(i):rep(32 * 1024) end
    local message = core.encode { type = "LARGE", payload = { texts = texts } }
    assert(cluster:command("send node-1 binary " .. sim_support.hex(message)))
    assert.equal(tostring(40 * 64 * 1024), child:read_line(PATIENCE), child:read_all(PATIENCE, "stderr"))
    assert.equal(0, (child:wait(PATIENCE)))
  end)

  -- Runs spec/support/little_memory.lua with its allocation number `at` failing (0: none);
  -- its exit code, signal, standard error, and how many allocations there were.
  local function run(at, oplog)
    local count_to = folder .. "/count"
    os.remove(count_to)
    os.execute(("rm -rf %s/log*"):format(folder))
    local child = assert(process.spawn {
      file = process.wingman_path(), args = { "run", "spec/support/little_memory.lua" }, stderr = true,
      env = { LD_PRELOAD = folder .. "/failing_malloc.so", WINGMAN_FAIL_AT = tostring(at), WINGMAN_COUNT_TO = count_to,
        SPEC_URLS = table.concat(cluster.urls, ","), SPEC_TOKEN = cluster.token,
        SPEC_PATIENCE = tostring(at == 0 and WAITS or WAITS_IN_VAIN), SPEC_OPLOG = oplog and folder .. "/log" or nil },
    })
    local code, signal = child:wait(PATIENCE)
    if not code then child:kill "SIGKILL" end
    local text = child:read_all(PATIENCE, "stderr")
    child:close()
    local file = io.open(count_to)
    local count = file and file:read "*n"
    if file then file:close() end
    return code, signal, text, count
  end

  for name, oplog in pairs { ["in memory"] = false, ["with the op log's file"] = true } do
    it("is reported as an error, " .. name, function()
      local code, _, text, count = run(0, oplog)
      assert.equal(0, code, text)
      assert.is_true(count > 100, count .. " allocations")
      local step = math.ceil(count / RUNS)
      -- Another part of them each time.
      for at = 1 + os.time() % step, count, step do
        local code_then, signal, said = run(at, oplog)
        local what = ("allocation %d of %d: code %s, signal %s: %s"):format(at, count, tostring(code_then), tostring(signal), said or "")
        assert.is_nil(signal, what)
        assert.is_true(code_then == 0 or code_then == 1, what)
        for _, mistake in ipairs { "a value is another one", "bad argument", "attempt to" } do
          assert.is_nil(what:find(mistake, 1, true), what)
        end
        if code_then == 1 then assert.is_true(#said > 0, what) end
      end
    end)
  end
end)
