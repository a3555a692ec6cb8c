local virtual_time = require "spec.support.virtual_time"

local DEBOUNCE = 0.05

-- A host that records requests; `has_map` and `indexes` are the test's to change.
local function host_of(has_map)
  local host = { asked = {}, silences = {}, indexes = {}, map = has_map, refuses = {} }
  host.callbacks = {
    send = function(node_index)
      if host.refuses[node_index] then return false end
      host.asked[#host.asked + 1] = node_index
      return true
    end,
    ready_indexes = function() return host.indexes end,
    has_map = function() return host.map end,
    route_is_missing = function() return host.missing or false end,
    log = function(_, event) host.logged = event end,
    silent = function(node_index) host.silences[#host.silences + 1] = node_index end,
  }
  return host
end

-- On a clock that moves only when the loop waits.
local loop, map_requests

local function new(host, options)
  local all = { debounce = DEBOUNCE, max_wait = 0.2, answer_timeout = 0.05, refresh = 60 }
  for name, value in pairs(options or {}) do all[name] = value end
  return map_requests.new(all, host.callbacks)
end

local function connect(requests, host, node_index)
  table.insert(host.indexes, node_index)
  requests:node_connected(node_index)
end

describe("map requests", function()
  local requests
  before_each(function()
    local time = virtual_time.new()
    loop, map_requests = time.loop, time:require "wingman.cluster.map_refresh"
  end)
  after_each(function()
    requests:close()
    assert.equal(0, loop.timer_count(), "timers are left")
  end)

  it("ask at once without a map, and once more for what connected within the window", function()
    local host = host_of(false)
    requests = new(host)
    connect(requests, host, 0)
    assert.same({ 0 }, host.asked)
    connect(requests, host, 1)
    connect(requests, host, 2)
    assert.same({ 0 }, host.asked)
    host.map = true
    loop.sleep(DEBOUNCE * 0.99)
    assert.same({ 0 }, host.asked)
    loop.sleep(DEBOUNCE * 0.02)
    assert.same({ 0, 2 }, host.asked)
  end)

  it("ask a node that came back within the window again", function()
    local host = host_of(false)
    requests = new(host)
    connect(requests, host, 0)
    assert.same({ 0 }, host.asked)
    host.map = true
    host.indexes = {}
    connect(requests, host, 0)
    loop.sleep(DEBOUNCE * 0.99)
    assert.same({ 0 }, host.asked)
    loop.sleep(DEBOUNCE * 0.02)
    assert.same({ 0, 0 }, host.asked)
  end)

  it("go to the node that connected last, once for all of a window, whatever map is held", function()
    local host = host_of(true)
    requests = new(host)
    for node_index = 0, 4 do connect(requests, host, node_index) end
    assert.same({}, host.asked)
    loop.sleep(DEBOUNCE * 3)
    assert.same({ 4 }, host.asked)
    assert.equal(1, requests.sent)
  end)

  it("are not put off for ever by a stream of connections", function()
    local host = host_of(true)
    requests = new(host)
    local begun = loop.now()
    while #host.asked == 0 and loop.now() - begun < 2 do
      connect(requests, host, 0)
      loop.sleep(DEBOUNCE / 5)
    end
    assert.near(0.2, loop.now() - begun, DEBOUNCE / 5 + 1e-6)
  end)

  it("try the next node when one cannot take them", function()
    local host = host_of(true)
    requests = new(host)
    host.indexes = { 0, 1, 2 }
    host.refuses = { [2] = true, [1] = true }
    assert.is_true(requests:ask_any())
    assert.same({ 0 }, host.asked)
    host.refuses[0] = true
    assert.is_false(requests:ask_any())
  end)

  it("tell silence, and not when news came", function()
    local host = host_of(true)
    requests = new(host)
    requests:ask(3)
    loop.sleep(0.049)
    assert.same({}, host.silences)
    loop.sleep(0.002)
    assert.same({ 3 }, host.silences)
    requests:ask(4)
    requests:answered()
    loop.sleep(0.1)
    assert.same({ 3 }, host.silences)
  end)

  it("are repeated when there is no news, and when a route misses", function()
    local host = host_of(true)
    host.indexes = { 7 }
    requests = new(host, { refresh = 0.03 })
    loop.sleep(0.1)
    assert.equal(3, #host.asked)
    requests:close()
    host.asked = {}
    requests = new(host)
    for _ = 1, 10 do requests:route_missed() end
    assert.same({ 7 }, host.asked)
  end)

  it("are repeated while a route is missing, as the policy allows, and the first never waits", function()
    local host = host_of(true)
    host.indexes, host.missing = { 7 }, true
    local calls = {}
    requests = new(host, { throttle = function(n)
      calls[#calls + 1] = n
      return 0.01 * n
    end })
    requests:route_missed()
    assert.equal(1, #host.asked)
    requests:route_missed()
    assert.equal(1, #host.asked)
    loop.sleep(0.061) -- 0.01, 0.02 and 0.03 s
    assert.same({ 1, 2, 3, 4 }, calls)
    host.missing = false
    requests:answered(true)
    requests:route_missed()
    assert.equal(5, #host.asked)
    assert.equal(1, calls[5])
    loop.sleep(0.05)
    assert.equal(5, #host.asked)
  end)

  it("go on after a map that leaves routes missing, from the beginning", function()
    local host = host_of(true)
    host.indexes, host.missing = { 7 }, true
    local calls = {}
    requests = new(host, { throttle = function(n)
      calls[#calls + 1] = n
      return n == 1 and 0.02 or 60
    end })
    requests:route_missed()
    loop.sleep(0.021)
    assert.equal(2, #host.asked)
    requests:answered(true)
    loop.sleep(0.021)
    assert.equal(3, #host.asked, "nothing is asked any more")
    assert.same({ 1, 2, 1, 1 }, calls)
  end)

  it("go out at once when the map is known to be old, and once more for all of a window", function()
    local host = host_of(true)
    host.indexes = { 7 }
    requests = new(host, { throttle = function() return 60 end })
    requests:route_missed()
    loop.sleep(DEBOUNCE * 1.2)
    requests:map_is_old()
    assert.equal(2, #host.asked)
    for _ = 1, 5 do requests:map_is_old() end
    assert.equal(2, #host.asked)
    loop.sleep(DEBOUNCE * 3)
    assert.equal(3, #host.asked)
  end)

  it("follow the slowest throttle when the policy makes a mistake", function()
    local host = host_of(true)
    host.indexes = { 7 }
    requests = new(host, { throttle = function() error "a mistake" end })
    requests:route_missed()
    assert.equal("refresh_policy", host.logged)
    assert.same({ 7 }, host.asked)
  end)
end)
