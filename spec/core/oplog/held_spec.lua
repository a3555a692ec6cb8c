--- The list of operations that lost their route: each is in it once, and no call looks at all operations.
local loop = require "wingman.loop"
local wingman = require "wingman"

describe("newly held operations", function()
  local client, map, core

  before_each(function()
    client = wingman.client { server = "ws://127.0.0.1:1", oplog = { max_ops = 200000 } }
    map, core = client:map "held", client.core
  end)

  after_each(function() client:close() end)

  local function write(first, last)
    for i = first, last do assert(map:set("key-" .. i, { n = i })) end
  end

  local function seq() return select(4, core:pending()) end

  local function set(first, last)
    local keys = {}
    for i = first, last do keys["key-" .. i] = false end
    return keys
  end

  it("are listed once", function()
    write(1, 10)
    assert.same(set(1, 10), core:newly_held(0))
    assert.same({}, core:newly_held(0))
    write(11, 12)
    assert.same(set(11, 12), core:newly_held(10))
  end)

  it("are those after a seq", function()
    write(1, 10)
    assert.same(set(8, 10), core:newly_held(7))
  end)

  it("are not those that have gone", function()
    write(1, 10)
    core:foreign_take() -- all of them leave
    assert.same({}, core:newly_held(0))
  end)

  it("are also what was recorded before its partition lost the route", function()
    write(1, 100)
    core:newly_held(0)
    core:foreign_take()
    core:foreign_release() -- back, with a route
    assert.same({}, core:newly_held(0))
    core:set_routes(-1)
    assert.same(set(1, 100), core:newly_held(0))
  end)

  it("cost a look at each new one, however many are held", function()
    local function least_time()
      local time = math.huge
      for _ = 1, 50 do -- the least of them: others may have been interrupted
        local before = loop.now()
        core:newly_held(seq() - 1)
        time = math.min(time, loop.now() - before)
      end
      return time
    end
    write(1, 150)
    core:newly_held(0)
    write(1, 1)
    local of_few = least_time()
    write(1, 150000)
    core:newly_held(0)
    write(1, 1)
    local of_many = least_time() -- a look at each takes 1,000 times as long
    assert.is_true(of_many < 30 * of_few + 1e-6, ("%.1f us, and %.1f us of few"):format(of_many * 1e6, of_few * 1e6))
  end)

  it("are 1,000 at most", function()
    write(1, 1500)
    local n = 0
    for _ in pairs(core:newly_held(0)) do n = n + 1 end
    assert.equal(1000, n)
  end)
end)
