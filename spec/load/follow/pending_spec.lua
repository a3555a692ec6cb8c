--- Writes that another client was not seen to show yet.
local loop = require "wingman.loop"
local pending = require "wingman.load.follow.pending"

describe("pending writes", function()
  local writes

  before_each(function() writes = pending.new() end)

  local function finish(key, count)
    local hashes = {}
    writes:finish(key, count, function(write) hashes[#hashes + 1] = write.hash end)
    return hashes
  end

  it("end with the oldest of their key, and each once", function()
    for i = 1, 3 do writes:add("k", { hash = i }) end
    writes:add("other", { hash = 9 })
    assert.same({ 1, 2 }, finish("k", 2))
    assert.equal(2, writes.count)
    assert.same({ 3 }, finish("k", 1))
    assert.is_nil(writes:of "k")
    assert.same({ "other" }, writes:keys())
  end)

  it("know which keys were written", function()
    writes:add("k", { hash = 1 })
    finish("k", 1)
    writes:pass "same"
    assert.same({ true, true, false }, { writes:knows "k", writes:knows "same", writes:knows "never" })
  end)

  it("let wait until the newest of a key is over, and not the ones that come later", function()
    assert.is_true(writes:wait("k", 60))
    writes:add("k", { hash = 1 })
    writes:add("k", { hash = 2 })
    local seen = {}
    local waiting = loop.spawn(function() seen.result = writes:wait("k", 60) end)
    loop.spawn(function()
      finish("k", 1)
      seen.too_early = seen.result
      writes:add("k", { hash = 3 })
      finish("k", 1)
    end)
    waiting:wait()
    assert.same({ result = true }, seen)
    assert.equal(1, writes.count)
    assert.is_nil((writes:wait("k", 0)))
  end)
end)
