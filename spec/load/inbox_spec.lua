--- What came for a user that did not wait.
local inbox = require "wingman.load.inbox"

describe("the inboxes of users", function()
  local own, most, most_of_all

  before_each(function()
    own, most, most_of_all = inbox.new(), inbox.MOST, inbox.MOST_OF_ALL
  end)
  after_each(function() inbox.MOST, inbox.MOST_OF_ALL = most, most_of_all end)

  local function any() return true end

  it("give each user the oldest message that is wanted, and keep the others", function()
    for i = 1, 4 do assert.is_true(own:add(1, { n = i })) end
    own:add(2, { n = 5 })
    assert.equal(2, own:take(1, function(one) return one.n % 2 == 0 end).n)
    assert.same({ 1, 3, 4 }, { own:take(1, any).n, own:take(1, any).n, own:take(1, any).n })
    assert.is_nil(own:take(1, any))
    assert.is_nil(own:take(3, any))
    assert.same({ 1, 0 }, { own.count, own.dropped })
    assert.equal(5, own:take(2, any).n)
  end)

  it("have 1,000 messages, of which the oldest makes place for another", function()
    for i = 1, 1003 do assert.equal(i <= 1000, own:add(1, { n = i })) end
    assert.same({ 1000, 3 }, { own.count, own.dropped })
    assert.equal(4, own:take(1, any).n)
    own:add(2, { n = 0 })
    own:clear(1)
    own:clear(7)
    assert.same({ 1, 3 }, { own.count, own.dropped })
    assert.is_nil(own:take(1, any))
  end)

  it("have a limit for all together, which takes nothing from others", function()
    assert.equal(100000, inbox.MOST_OF_ALL)
    inbox.MOST_OF_ALL = 5
    for id = 1, 5 do assert.is_true(own:add(id, { n = id })) end
    assert.is_false(own:add(6, { n = 6 }))
    assert.is_false(own:add(1, { n = 7 }))
    assert.same({ 5, 2 }, { own.count, own.dropped })
    assert.is_nil(own:take(6, any))
    assert.same({ 7, 2 }, { own:take(1, any).n, own:take(2, any).n })
  end)
end)
