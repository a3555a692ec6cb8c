--- Durations in scripts: one reader, and everybody who is given one asks it.
local circuit = require "wingman.policy.circuit"
local duration = require "wingman.base.duration"
local inspect = require "wingman.inspect"
local loop = require "wingman.loop"
local option_rules = require "wingman.client.options.rules"
local reconnect = require "wingman.policy.reconnect"
local wingman = require "wingman"

describe("a duration", function()
  it("is a number of seconds or a text with units", function()
    local expected = { ["30s"] = 30, ["1m30s"] = 90, ["250ms"] = 0.25, ["1h"] = 3600, ["1.5s"] = 1.5, ["10"] = 10, ["40us"] = 4e-5 }
    for text, seconds in pairs(expected) do assert.near(seconds, duration.parse(text), 1e-12, text) end
    assert.equal(2.5, duration.parse(2.5))
    assert.equal(0, duration.parse(0))
  end)

  it("is nothing else", function()
    for _, wrong in ipairs { "", "s", "10x", "10s5", "-3s", "1m 30s", "1e3s", "..s" } do
      assert.is_nil(duration.parse(wrong), wrong)
    end
    assert.is_nil(duration.parse(-1))
    assert.is_nil(duration.parse(math.huge))
    assert.is_nil(duration.parse {})
    assert.is_nil(duration.parse(0 / 0))
  end)

  it("is a limit, too: without one, or infinite, for ever; one that is over, now", function()
    assert.is_nil(duration.limit(nil, "x"))
    assert.is_nil(duration.limit(math.huge, "x"))
    assert.equal(0, duration.limit(-3, "x"))
    assert.equal(0.1, duration.limit("100ms", "x"))
    assert.error_matches(function() duration.limit("-3s", "x") end, "x: a duration is expected")
  end)

  it("may be a text in every option that is one", function()
    local function texts(rules)
      local given = {}
      for name, rule in pairs(rules) do
        if rule.type == "duration" then given[name] = "2s" end
        if rule.group then given[name] = texts(rule.group) end
      end
      return given
    end
    local given = texts(option_rules.rules)
    given.server, given.cluster = "ws://x:1", nil
    local checked = option_rules.check(given, 1)
    for _, value in ipairs {
      checked.connect_timeout, checked.auth_timeout, checked.start_timeout, checked.unanswered, checked.heartbeat.interval,
      checked.heartbeat.timeout, checked.batch.linger, checked.batch.ack_timeout, checked.map_requests.debounce,
      checked.map_requests.max_wait, checked.map_requests.answer_timeout, checked.map_requests.refresh, checked.reconnect.first,
      checked.reconnect.max, checked.circuit.first, checked.circuit.reset,
    } do
      assert.equal(2, value)
    end
    assert.error_matches(function() option_rules.check({ server = "ws://x:1", batch = { ack_timeout = "long" } }, 1) end,
      "option batch%.ack_timeout: a duration is expected .*, got 'long'")
    assert.error_matches(function() option_rules.check({ server = "ws://x:1", reconnect = { frist = 1 } }, 1) end,
      "unknown option 'reconnect%.frist'; did you mean 'reconnect%.first'")
  end)

  it("may be a text of a policy", function()
    assert.equal(0.25, reconnect.exponential { first = "250ms", jitter = 0 }({}, 1, "lost"))
    assert.equal(2, reconnect.exponential { first = "1h", max = "2s", jitter = 0 }({}, 1, "lost"))
    assert.error_matches(function() reconnect.exponential { fist = 1 } end, "unknown option 'fist'; did you mean 'first'")
    local breaker = circuit.consecutive { failures = 1, first = "2s" }()
    breaker:failure("lost", 10)
    assert.equal(2, breaker:due(10))
  end)

  it("may be a text wherever something waits; a mistake is its caller's", function()
    local options = { server = "ws://127.0.0.1:1", log_to = function() end }
    local client, writer = wingman.client(options), wingman.client(options)
    finally(function()
      client:close()
      writer:close()
    end)
    local seq = assert(writer:map "m":set("a", 1))
    local calls = {
      sleep = function(time) wingman.sleep(time) end,
      timer = function(time) loop.timer(time, function() end):cancel() end,
      wait = function(time) assert.same({ nil, "timeout" }, { loop.future():wait(time) }) end,
      wait_until = function(time) assert.same({ nil, "timeout" }, { loop.wait_until(function() end, time) }) end,
      bench = function(time) inspect.bench(function() end, time) end,
      ["client:drain"] = function(time) assert.is_true(client:drain(time)) end,
      ["client:wait"] = function(time) assert.equal("TIMEOUT", select(2, writer:wait(seq, time)).code) end,
    }
    for what, call in pairs(calls) do
      call "10us"
      call(1e-5)
      for _, wrong in ipairs { "soon", {}, 0 / 0 } do
        local ok, err = pcall(call, wrong)
        assert.is_false(ok, what)
        assert.truthy(err:find("duration_spec.lua", 1, true), err)
        assert.truthy(err:find(what .. ": a duration is expected", 1, true), err)
      end
    end
  end)

  it("names the option that is wrong", function()
    local ok, err = pcall(duration.check, "soon", "scenario 'a': duration")
    assert.is_false(ok)
    assert.truthy(err:find("scenario 'a': duration: a duration is expected", 1, true))
    assert.truthy(err:find("'soon'", 1, true))
  end)

  it("is written as people write it", function()
    assert.equal("250ms", duration.text(0.25))
    assert.equal("30s", duration.text(30))
    assert.equal("1m30s", duration.text(90))
    assert.equal("2m", duration.text(120))
  end)
end)
