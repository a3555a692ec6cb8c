--- How wide a send window becomes, beside a node and a network that this file makes up, on a clock of its
--- own: a measured time says nothing on a machine that is busy.
local core = require "wingman.core"

local BATCH = 250
local LEAST = 32

-- A node that takes `rate` operations a second, one batch after the other, at a distance of `rtt` seconds; and a
-- writer that never lacks operations. `delay(n)`, in seconds: what the n-th acknowledgement has to wait
-- beside, as on a busy machine.
local function world(rate, rtt)
  local self = { now = 1, rate = rate, rtt = rtt, in_flight = 0, batches = {}, acked = 0, most = 0, delay = function() return 0 end }
  local window = core.send_window(self.now)
  local free_at, count = 0, 0

  local function send()
    while true do
      local size = math.min(window:batch(BATCH), window:ops(), BATCH)
      if self.in_flight > 0 and self.in_flight + size > window:ops() then return end
      count = count + 1
      free_at = math.max(free_at, self.now + self.rtt / 2) + size / self.rate
      table.insert(self.batches, { ops = size, sent = self.now, done = free_at + self.rtt / 2 + self.delay(count) })
      self.in_flight = self.in_flight + size
      self.most = math.max(self.most, self.in_flight)
    end
  end

  --- Goes on for so many seconds.
  function self.run(seconds)
    local deadline = self.now + seconds
    send()
    while self.batches[1].done <= deadline do
      local batch = table.remove(self.batches, 1)
      self.now = math.max(self.now, batch.done)
      window:acked(batch.ops, self.in_flight, true, self.now - batch.sent, self.now)
      self.in_flight = self.in_flight - batch.ops
      self.acked = self.acked + batch.ops
      send()
    end
    self.now = deadline
    return window:ops()
  end

  self.window = window
  return self
end

describe("the send window", function()
  -- What is in flight is what the node works on during a round trip, and 25 ms of work that waits.
  it("holds 25 ms of a node's work beside the round trip, whatever its rate and distance", function()
    for _, rate in ipairs { 20000, 100000, 400000 } do
      for _, rtt in ipairs { 0.0002, 0.02, 0.1 } do
        local node = world(rate, rtt)
        node.run(20)
        local ops = node.window:ops()
        assert.is_true(ops > rate * (rtt + 0.010) and ops < rate * (rtt + 0.060),
          ("%d operations for %d a second at %g s"):format(ops, rate, rtt))
        assert.is_true(node.acked > 0.9 * 20 * rate, ("%d of %d were acknowledged"):format(node.acked, 20 * rate))
      end
    end
  end)

  it("begins with a whole batch", function()
    assert.equal(BATCH, core.send_window(1):ops())
  end)

  it("has the node's work within the first second", function()
    for _, rtt in ipairs { 0.0002, 0.02, 0.1 } do
      local node = world(20000, rtt)
      node.run(1)
      node.acked = 0
      node.run(1)
      assert.is_true(node.acked > 0.7 * 20000, ("%d at %g s"):format(node.acked, rtt))
    end
  end)

  it("is narrow for a node that becomes slow, and wide again", function()
    local node = world(100000, 0.001)
    assert.is_true(node.run(5) > 2 * BATCH)
    node.rate = 2000
    node.run(20) -- what was in flight takes more than a second alone
    assert.is_true(node.window:ops() < BATCH, node.window:ops())
    node.rate = 100000
    assert.is_true(node.run(5) > 2 * BATCH, node.window:ops())
  end)

  it("is as wide when the node moves farther away", function()
    local node = world(50000, 0.01)
    node.run(10)
    node.rtt = 0.2
    node.run(90) -- the shortest time of before counts for at most a minute
    assert.is_true(node.window:ops() > 50000 * 0.2, node.window:ops())
  end)

  it("never has less than one small batch, however slow the node is", function()
    local node = world(10, 0.001)
    node.run(200) -- the first batch alone takes 25 s
    assert.is_true(node.window:ops() >= LEAST and node.window:ops() < 2 * LEAST, node.window:ops())
    assert.is_true(node.acked > 1900, node.acked)
  end)

  it("keeps a node busy from a machine on which a third of all that happens is late", function()
    local node = world(50000, 0.0005)
    local state = 42
    node.delay = function()
      state = (state * 1103515245 + 12345) % 2 ^ 31
      return state < 2 ^ 31 / 3 and state / 2 ^ 31 * 0.1 or 0
    end
    node.run(30)
    assert.is_true(node.acked > 0.5 * 30 * 50000, node.acked)
  end)

  it("stays below what was refused for lack of room, and tries again later", function()
    local node = world(50000, 0.001)
    node.run(2)
    local refused = node.in_flight
    assert.is_true(refused > 2 * BATCH)
    node.window:refused(4, refused, false, node.now)
    assert.is_true(node.window:ops() < refused)
    node.in_flight, node.batches, node.most = 0, {}, 0
    node.run(9)
    assert.is_true(node.most < refused, node.most)
    node.run(20)
    assert.is_true(node.window:ops() >= 0.9 * refused, node.window:ops())
  end)

  it("sends at intervals after a refusal for the rate, of less than the node took, and then of ever more", function()
    local node = world(50000, 0.001)
    node.run(2)
    assert.equal(0, node.window:pause(100))
    node.window:refused(1, BATCH, true, node.now)
    local pause = node.window:pause(100)
    assert.is_true(pause > 100 / 50000, pause)
    assert.is_true(node.window:batch(BATCH) <= BATCH)
    node.run(1)
    assert.is_true(node.window:pause(100) < pause)
    node.run(60)
    assert.equal(0, node.window:pause(100))
  end)
end)
