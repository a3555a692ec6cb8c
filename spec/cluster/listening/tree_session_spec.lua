--- wingman.cluster.listening.tree_session: who waits for whom, and how often the root is asked for.
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local tree_session = require "wingman.cluster.listening.tree_session"

local LATER = math.huge

describe("a tree session", function()
  local session, asked, root

  before_each(function() session, asked, root = tree_session.new(), 0, loop.future() end)

  local function ask_root()
    asked = asked + 1
    return root:wait()
  end

  local function renew(since) return loop.spawn(function() return session:renew(since, ask_root, LATER) end) end
  local function walk(fn) return loop.spawn(function() return session:walk(fn, LATER) end) end

  local function await_question(count)
    eventually(count .. " questions about the root", function() return asked == count, asked end)
  end

  it("is renewed once for all who wait", function()
    local since = loop.now()
    local tasks = { renew(since), renew(since), renew(since) }
    await_question(1)
    root:resolve(7)
    for _, task in ipairs(tasks) do assert.is_true(task:wait(60)) end
    assert.equal(1, asked)
    assert.is_true(session:renew(since, ask_root, LATER)) -- it is young enough
    assert.equal(1, asked)
    assert.is_true(session:renew(session.began + 1e-9, ask_root, LATER))
    assert.equal(2, asked)
  end)

  it("goes on when a walk or a question about the root raises", function()
    local function raised_by(...) return loop.spawn(function(...) return tostring(select(2, pcall(...))) end, ...):wait(60) end
    local raised = raised_by(session.walk, session, function() error "on purpose" end, LATER)
    assert.truthy(raised:find("on purpose", 1, true), raised)
    raised = raised_by(session.renew, session, loop.now(), function() error "at the root" end, LATER)
    assert.truthy(raised:find("at the root", 1, true), raised)
    root:resolve(7)
    assert.is_true(renew(loop.now()):wait(60))
    assert.equal("found", walk(function() return "found" end):wait(60))
  end)

  it("is not renewed while somebody walks, and nobody walks while it is renewed", function()
    local leave, order = loop.future(), {}
    local first = walk(function()
      order[#order + 1] = "walks"
      return leave:wait()
    end)
    eventually("the first walks", function() return order[1], order end)
    local renewal = renew(loop.now())
    eventually("it is to be renewed", function() return session.renewing end)
    local second = walk(function()
      order[#order + 1] = "walks after"
      return "found"
    end)
    assert.equal(0, asked)
    leave:resolve "left"
    assert.equal("left", first:wait(60))
    await_question(1)
    assert.same({ "walks" }, order)
    root:resolve(7)
    assert.is_true(renewal:wait(60))
    assert.equal("found", second:wait(60))
    assert.same({ "walks", "walks after" }, order)
  end)

  it("of a map without records is not walked", function()
    root:resolve(0)
    assert.is_true(session:renew(loop.now(), ask_root, LATER))
    assert.is_nil(session:walk(function() error "walked" end, LATER))
    root = loop.future()
    root:resolve(7)
    assert.is_true(session:renew(session.began + 1e-9, ask_root, LATER))
    assert.equal("walked", session:walk(function() return "walked" end, LATER))
  end)

  it("that could not be renewed is nobody's: the next one asks again", function()
    local since = loop.now()
    local first, second = renew(since), renew(since)
    await_question(1)
    local failed = root
    root = loop.future()
    failed:reject "connection lost"
    assert.same({ nil, "connection lost" }, { first:wait(60) })
    await_question(2)
    root:resolve(7)
    assert.is_true(second:wait(60))
  end)

  it("is not waited for beyond the deadline", function()
    local renewal = renew(loop.now())
    await_question(1)
    assert.same({ nil, "timeout" }, { session:walk(error, loop.now()) })
    assert.same({ nil, "timeout" }, { session:renew(loop.now(), ask_root, loop.now()) })
    root:resolve(7)
    assert.is_true(renewal:wait(60))
  end)
end)
