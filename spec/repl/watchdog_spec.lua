--- Chunks that do not let their program go on are ended. The clock is the spec's own: it goes
--- one second with each look.
local chunk = require "wingman.repl.chunk"
local loop = require "wingman.loop"
local server = require "wingman.repl.server"

describe("a chunk under watch", function()
  local looks, wants_end
  before_each(function() looks, wants_end = 0, false end)

  -- Runs it with a limit of `limit` looks: what came of it, as pcall says it, and the chunk.
  local function run(fn, limit)
    local began = chunk.start(fn, false, {
      limit = limit,
      now = function()
        looks = looks + 1
        return looks
      end,
      wants_end = function() return wants_end end,
    })
    local results = began:wait()
    return results, began
  end

  local function forever()
    while true do end
  end
  if jit then jit.off(forever) end -- as what is typed is, and what is made there

  it("is ended when its time is over, with its place", function()
    local results = run(forever, 60)
    assert.is_false(results[1])
    assert.truthy(results[2]:find("^[^\n]*watchdog_spec.lua:%d+: ended: it computed for 60 s without waiting"), results[2])
    assert.is_nil(results[2]:find("repl/watchdog.lua", 1, true), results[2])
    assert.equal(61, looks)
    assert.is_nil((debug.gethook()), "the hook stays")
  end)

  it("is ended whatever it does to go on", function()
    local ways = {
      pcall = function()
        while true do pcall(forever) end
      end,
      nested = function()
        while true do pcall(pcall, pcall, function()
          while true do pcall(forever) end
        end) end
      end,
      wrap = function() coroutine.wrap(forever)() end,
      resume = function()
        while true do coroutine.resume(coroutine.create(forever)) end
      end,
      tostring = function() return tostring(setmetatable({}, { __tostring = forever })) end,
      sort = function()
        while true do table.sort({ 3, 2, 1 }, function(a, b) return a < b end) end
      end,
    }
    for name, fn in pairs(ways) do
      local results = run(fn, 5)
      assert.is_false(results[1], name)
      assert.truthy(tostring(results[2]):find("ended: it computed", 1, true), name .. ": " .. tostring(results[2]))
    end
    assert.is_nil((debug.gethook()))
  end)

  it("is ended when somebody wants it", function()
    wants_end = true
    local results, began = run(forever, nil)
    assert.is_false(results[1])
    assert.is_true(began.interrupted)
    assert.truthy(results[2]:find("interrupted", 1, true))
  end)

  it("may wait as long as it likes, in a coroutine of its own too", function()
    local function work(times)
      for _ = 1, times do
        for _ = 1, 500 do end
        loop.sleep(0)
      end
      return "done"
    end
    assert.same({ n = 2, true, "done" }, (run(function() return work(200) end, 5)))
    assert.same({ n = 2, true, "done" }, (run(function() return coroutine.wrap(work)(200) end, 5)))
    assert.same({ n = 2, true, "done" }, (run(function() return work(3) end, nil)))
  end)

  it("keeps no other task from computing while it waits", function()
    local sum = 0
    local other = loop.spawn(function()
      loop.sleep(0)
      for i = 1, 1e6 do sum = sum + i % 3 end
    end)
    assert.is_true((run(function() return coroutine.wrap(function() return other:wait() end)() end, 5))[1])
    assert.is_true(other.done and sum > 0)
  end)

  it("leaves a hook of the program's own in its place", function()
    local function hook() end
    debug.sethook(hook, "", 1e9)
    run(function() return 1 end, 5)
    local now = debug.gethook()
    debug.sethook()
    assert.equal(hook, now)
  end)
end)

describe("the prompt's server", function()
  it("has a limit of 2 s, unless it is told another", function()
    local path = os.tmpname()
    os.remove(path)
    local function limit(options)
      local one = assert(server.listen(path, nil, options))
      one:close()
      return one.chunk_limit
    end
    assert.equal(2, limit())
    assert.equal(90, limit { chunk_limit = "1m30s" })
    assert.is_nil(limit { chunk_limit = math.huge })
    assert.error_matches(function() limit { chunk_limit = "soon" } end, "chunk_limit: a duration is expected")
    assert.error_matches(function() limit { chunk_limt = 1 } end, "unknown option 'chunk_limt'")
  end)
end)
