local changes = require "wingman.loop.wakeup"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"

describe("changes", function()
  local counted, value
  before_each(function() counted, value = changes.new(), nil end)

  local function look() return value end

  it("returns at once what is there", function()
    value = "here"
    assert.equal("here", (counted:await(0, look)))
  end)

  it("looks again after each change, and not without one", function()
    local looks = 0
    local task = loop.spawn(function()
      return counted:await(5, function()
        looks = looks + 1
        return look()
      end)
    end)
    eventually("it looks once", function() return looks == 1, looks end)
    counted:note(0) -- none
    loop.sleep(0.02)
    assert.equal(1, looks)
    counted:note(1)
    eventually("it looks twice", function() return looks == 2, looks end)
    value = "came"
    counted:note(3)
    assert.equal("came", (task:wait(60)))
    assert.equal(3, looks)
  end)

  it("tells all that wait", function()
    local tasks, looks = {}, 0
    local function count_and_look()
      looks = looks + 1
      return look()
    end
    for i = 1, 3 do tasks[i] = loop.spawn(function() return counted:await(5, count_and_look) end) end
    eventually("it looks three times", function() return looks == 3, looks end)
    value = 7
    counted:wake()
    for _, task in ipairs(tasks) do assert.equal(7, (task:wait(60))) end
  end)

  it("gives up after the timeout, and hands on an error", function()
    local got, err = counted:await(0.01, look)
    assert.is_nil(got)
    assert.equal("timeout", err)
    got, err = counted:await(1, function() return nil, "broken" end)
    assert.is_nil(got)
    assert.equal("broken", err)
  end)
end)
