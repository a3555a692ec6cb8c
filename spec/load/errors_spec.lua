--- What goes wrong in a test is counted, by code and scenario, whether its script looks or not.
local load_run = require "spec.support.load_run"

local run, metric = load_run.run, load_run.metric

describe("errors of a load test", function()
  after_each(load_run.clean)

  it("are the writes that the client refuses, too, each once", function()
    local document, code, out, err = run [[
      local load = require "wingman.load"
      local function write(vu) return vu:map "m":set("k" .. vu.id .. "-" .. vu.iteration, 1) end
      return load.test { cluster = "sim://1", drain = 0,
        client = { oplog = { max_ops = 100, when_full = "fail" } },
        setup = function(hand) assert(hand.client:cluster():pause "node-1") end, -- nothing is acknowledged
        scenarios = {
          looks_away = { executor = "per-vu-iterations", vus = 1, iterations = 110, exec = write },
          looks = { executor = "per-vu-iterations", vus = 1, iterations = 20, exec = function(vu)
            while vu.client:pending_ops() < 100 do vu:sleep(0.001) end
            vu:group("write", function() assert(write(vu)) end)
          end },
        },
        thresholds = { errors = "count==0", ["errors{scenario:looks_away}"] = "count>0", ["errors{code:LOG_FULL}"] = "count>0" } }]]
    assert.equal(99, code, out .. err)
    assert.same({ { code = "LOG_FULL", count = 30 } }, document.errors)
    assert.equal(100, metric(document, "ops_recorded").count)
    assert.matches("\n  30  LOG_FULL  looks%S* %d+, looks%S* %d+\n", out)
    assert.matches("<td>LOG_FULL</td>.->30<.->looks%S* %d+, looks%S* %d+<", require("wingman.report").render(document, "html"))
    local away, looks = metric(document, "errors", { scenario = "looks_away" }).count, metric(document, "errors", { scenario = "looks" }).count
    assert.equal(30, away + looks)
    assert.equal(20 - looks, metric(document, "iterations", { scenario = "looks" }).count)
    assert.equal(110, metric(document, "iterations", { scenario = "looks_away" }).count)
    assert.equal(looks, metric(document, "errors", { scenario = "looks", code = "LOG_FULL" }).count)
    for i = 2, 3 do assert.is_true(document.thresholds[i].passed, document.thresholds[i].metric) end
  end)

  it("are waits that took too long, each once, raised or not", function()
    local document, code, out, err = run [[
      local load = require "wingman.load"
      return load.test { cluster = "sim://1", drain = 0, thresholds = { ops_unacknowledged = "count==3" },
        setup = function(hand) assert(hand.client:cluster():pause "node-1") end,
        scenarios = {
          a = { executor = "per-vu-iterations", vus = 1, iterations = 3, exec = function(vu)
            local ok, why = vu:wait(vu:map "m":set("a", 1), nil, 0.01)
            if vu.iteration == 2 then assert(ok, why) end
          end },
        } }]]
    assert.equal(0, code, out .. err)
    assert.same({ { code = "TIMEOUT", count = 3 } }, document.errors)
    assert.equal(3, metric(document, "errors", { scenario = "a", code = "TIMEOUT" }).count)
  end)

  it("are queries without an answer, too, each once", function()
    local document, code, out, err = run [[
      local load = require "wingman.load"
      return load.test { cluster = "sim://1", drain = 0,
        scenarios = {
          a = { executor = "per-vu-iterations", vus = 1, iterations = 3, exec = function(vu)
            if vu.iteration == 1 then assert(vu.client:cluster():kill "node-1") end
            local values, why = vu.client:query "m"
            if vu.iteration == 2 then assert(values, why) end
          end },
        } }]]
    assert.equal(0, code, out .. err)
    local errors = metric(document, "errors", { scenario = "a" }).count
    assert.equal(3, errors, out)
  end)

  it("are what a user's own connection was refused, too, each once", function()
    local document, code, out, err = run [[
      local load = require "wingman.load"
      return load.test { cluster = "sim://1", connections = "per-vu",
        scenarios = {
          a = { executor = "per-vu-iterations", vus = 1, iterations = 1, exec = function(vu)
            vu:send { type = "PING" }                                  -- without a connection
            pcall(function() assert(vu:send { type = "PING" }) end)
            vu:request({ type = "PING" }, "PONG", 5)
            assert(vu:connect())
            vu:request({ type = "PING", timestamp = 1 }, "NOTHING_LIKE_IT", 0.05)
            vu:receive("NOTHING_LIKE_IT", 0.01)                        -- nothing may have been said
          end },
        } }]]
    assert.equal(0, code, out .. err)
    assert.same({ { code = "NOT_CONNECTED", count = 3 }, { code = "TIMEOUT", count = 1 } }, document.errors)
    assert.equal(4, metric(document, "errors", { scenario = "a" }).count)
  end)

  it("are mistakes of the script when a value cannot be encoded, reported with its line", function()
    for _, write in ipairs { "local ok = map:set('k', { f = print })", "map:set('k', print, { on_ack = print })" } do
      local document, code, out, err = run(([[
        local load = require "wingman.load"
        return load.test { cluster = "sim://1",
          scenarios = { a = { executor = "per-vu-iterations", vus = 1, iterations = 2, exec = function(vu)
            local map = vu:map "m"
            %s
          end } } }]]):format(write))
      assert.equal(1, code, out .. err)
      assert.truthy(err:find("stdin:5: map 'm', key 'k': a function cannot be encoded", 1, true), err)
      assert.equal("error", document.outcome)
      assert.same({ { code = "SCRIPT", count = 2 } }, document.errors)
      assert.equal(2, metric(document, "errors", { scenario = "a" }).count)
    end
  end)

  it("are not what a server refused for its load in the set-up, which is sent again", function()
    for _, case in ipairs { { "setup", 0 }, { "exec", 3 } } do
      local where, expected = unpack(case)
      local document, code, out, err = run(([[
        local load = require "wingman.load"
        local function refuse(cluster) assert(cluster:fault("all", "error", "429", 3)) end
        return load.test { cluster = "sim://2",
          setup = function(hand)
            if %q == "setup" then refuse(hand.client:cluster()) end
            assert(hand:map "m":set("k", 1))
            assert(hand.client:drain "60s")
            assert(hand.client:stats().overloads == (%q == "setup" and 3 or 0), hand.client:stats().overloads .. " overloads")
          end,
          scenarios = { a = { executor = "per-vu-iterations", vus = 1, iterations = 1, exec = function(vu)
            if %q == "exec" then refuse(vu.client:cluster()) end
            assert(vu:wait(vu:map "m":set("k", 2), nil, "60s"))
          end } } }]]):format(where, where, where))
      assert.equal(0, code, out .. err)
      assert.same(expected > 0 and { { code = "OVERLOADED", count = expected } } or {}, document.errors, where)
    end
  end)
end)
