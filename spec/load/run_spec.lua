--- Load tests from the command line: executors, what they count, exit codes.
local load_run = require "spec.support.load_run"
local report = require "wingman.report"
local sim = require "wingman.sim"

local run, metric, script = load_run.run, load_run.metric, load_run.script

local SET = [[exec = function(vu) vu:map "bench":set(vu:key(), { v = vu.iteration }) end, keys = { count = 1000 },]]
-- Waits for the acknowledgement: a closed model.
local WAIT = [[exec = function(vu) assert(vu:wait(vu:map "bench":set(vu:key(), { v = vu.iteration }))) end, keys = { count = 1000 },]]

describe("wingman run of a load test", function()
  after_each(load_run.clean)

  it("makes every iteration of a constant arrival rate and loses nothing", function()
    local document, code, out, err = run(script([[executor = "constant-arrival-rate", rate = 2000, duration = "1s", ]] .. SET,
      [[thresholds = { ops_unacknowledged = { "count==0" }, ["op_latency{scenario:main}"] = { "p(50)<5s" } },]]))
    assert.equal(0, code, out .. err)
    assert.is_true(report.validate(document))
    assert.equal("passed", document.outcome)
    assert.is_true(document.finished)
    assert.equal(2000, document.scenarios[1].iterations)
    assert.equal(0, document.scenarios[1].iterations_dropped)
    for _, name in ipairs { "ops_recorded", "ops_acked", "iterations" } do
      assert.equal(2000, metric(document, name).count, name)
      assert.equal(2000, metric(document, name, { scenario = "main" }).count, name)
    end
    for _, part in ipairs { "op_latency", "op_queue", "op_send", "op_ack", "lateness", "iteration_duration" } do
      assert.equal(2000, metric(document, part).count, part)
    end
    assert.equal(0, metric(document, "ops_unacknowledged").count)
    local per_node, partitions = 0, 0
    for _, node in ipairs(document.environment.nodes) do per_node = per_node + metric(document, "ops_acked", { node = node }).count end
    for _, ops in ipairs(document.partitions.ops) do partitions = partitions + ops end
    assert.equal(2000, per_node)
    assert.equal(2000, partitions)
    local points = 0
    for _, point in ipairs(document.series.points) do points = points + point.counters.ops_acked end
    assert.equal(2000, points)
    assert.is_true(metric(document, "connect_time").count >= 3)
    assert.is_true(metric(document, "auth_time").count >= 3)
  end)

  it("runs the plan of faults, and tells how long the failover took", function()
    local document, code, out, err = run(script([[executor = "constant-arrival-rate", rate = 1000, duration = "3s", ]] .. SET,
      [[nemesis = { { at = "1s", kill = "owner-of:key-1" }, { at = "2s", restart = "last" } },
        thresholds = { ops_unacknowledged = { "count==0" }, failover_time = { "count==1" } },]]))
    assert.equal(0, code, out .. err)
    assert.equal(3000, metric(document, "ops_acked").count)
    assert.equal(2, #document.faults)
    assert.equal("kill", document.faults[1].action)
    assert.is_true(document.faults[1].ok and document.faults[2].ok)
    assert.equal(document.faults[1].target, document.faults[2].target)
    assert.is_true(document.faults[1].at_s >= 1 and document.faults[2].at_s >= 2)
    assert.equal(1, #document.failovers)
    assert.equal(document.faults[1].target, document.failovers[1].node)
    assert.equal(1, metric(document, "failover_time").count)
    assert.equal(1, metric(document, "reconnects").count)
  end)

  it("keeps the processors awake when it is asked to, and says so", function()
    local TEST = script([[executor = "shared-iterations", iterations = 10, exec = function(vu) assert(vu:wait(vu:map "m":set("a", 1))) end]],
      [[teardown = function()
          local own = io.open "/proc/self/stat":read "*n"
          for line in io.popen "cat /proc/[0-9]*/stat 2>/dev/null":lines() do
            local pid, parent = line:match "^(%d+) %(.*%) %S (%d+)"
            if tonumber(parent) == own then print("CHILD " .. io.open("/proc/" .. pid .. "/cmdline"):read "*a":gsub("%z", " ")) end
          end
        end,]])
    local function check(options, awake)
      local document, code, out, err = run(TEST, options)
      assert.equal(0, code, out .. err)
      assert.is_true(report.validate(document))
      assert.equal(awake, document.environment.processors_awake)
      local _, children = out:gsub("CHILD [^\n]*keep%-awake", "")
      assert.equal(awake and 1 or 0, children, out)
    end
    local processors = io.popen "nproc":read "*n"
    check({}, nil)
    check({ "--keep-awake" }, processors)
  end)

  it("ends with 99 when a threshold fails, and says which", function()
    local document, code, out = run(script([[executor = "shared-iterations", iterations = 10, ]] .. WAIT,
      [[thresholds = { iterations = { "count==10", "count>10" } },]]))
    assert.equal(99, code)
    assert.equal("failed", document.outcome)
    assert.is_true(document.thresholds[1].passed)
    assert.is_false(document.thresholds[2].passed)
    assert.truthy(out:find("count>10", 1, true))
  end)

  it("has a threshold fail that nothing was measured for", function()
    local _, code = run(script([[executor = "shared-iterations", iterations = 10, ]] .. WAIT,
      [[thresholds = { failover_time = { "max<1s" } },]]))
    assert.equal(99, code)
  end)

  it("ends with 1 when it measured nothing, in one thread and in several", function()
    for _, workers in ipairs { "1", "2" } do
      local document, code, out = run(script [[executor = "constant-vus", vus = 2, duration = "100ms", graceful_stop = 0,
        exec = function(vu) vu:sleep "1h" end]], { "--workers", workers })
      assert.equal(1, code, out)
      assert.same({ "error", "nothing was measured: no iteration was finished, no operation acknowledged, and nothing read" },
        { document.outcome, document.reason })
    end
  end)

  it("aborts on a threshold after its delay", function()
    local document, code = run(script([[executor = "constant-arrival-rate", rate = 100, duration = "50s", ]] .. SET,
      [[thresholds = { iterations = { { "count<10", abort = true, delay = "1500ms" } } },]]))
    assert.equal(99, code)
    assert.equal("aborted", document.outcome)
    assert.is_false(document.finished)
    assert.is_true(document.thresholds[1].aborted)
    assert.is_true(document.duration_s >= 1.5 and document.duration_s < 50, tostring(document.duration_s))
  end)

  it("counts the iterations of each closed model exactly", function()
    local document, code, out, err = run([[
      local load = require "wingman.load"
      local function write(vu) assert(vu:wait(vu:map "bench":set("k" .. vu.id, { v = vu.iteration }))) end
      return load.test {
        cluster = "sim://3",
        scenarios = {
          each = { executor = "per-vu-iterations", vus = 7, iterations = 11, exec = write },
          shared = { executor = "shared-iterations", vus = 5, iterations = 123, exec = write },
          busy = { executor = "shared-iterations", vus = 3, iterations = 5000,
                   exec = function(vu) vu:map "busy":set("k" .. vu.id, vu.iteration) end },
        },
      }]])
    assert.equal(0, code, out .. err)
    local function of(name) return metric(document, "iterations", { scenario = name }).count end
    assert.equal(77, of "each")
    assert.equal(123, of "shared")
    assert.equal(5000, of "busy")
    assert.equal(77 + 123 + 5000, metric(document, "ops_acked").count)
    assert.is_nil((metric(document, "lateness")))
  end)

  it("keeps constant and ramping users at work, and not more", function()
    local document, code, out, err = run([[
      local load = require "wingman.load"
      local high, now = 0, 0
      local function work(vu)
        now = now + 1
        high = math.max(high, now)
        vu:sleep(0.01)
        now = now - 1
      end
      return load.test {
        cluster = "sim://3",
        scenarios = {
          steady = { executor = "constant-vus", vus = 4, duration = "1s", exec = function(vu) vu:sleep(0.01) end },
          ramp = { executor = "ramping-vus", start_vus = 0, exec = work,
                   stages = { { duration = "500ms", target = 20 }, { duration = "500ms", target = 0 } } },
        },
        teardown = function() assert(high <= 20, "users at work: " .. high) end,
      }]])
    assert.equal(0, code, out .. err)
    assert.equal(4, document.scenarios[2].vus_max)
    assert.is_true(document.scenarios[1].vus_max <= 20)
    -- Four users that sleep for 10 ms each time cannot do more in the time that it took.
    local steady = metric(document, "iterations", { scenario = "steady" }).count
    local most = 4 * (document.scenarios[2].duration_s / 0.01 + 1)
    assert.is_true(steady > 0 and steady <= most, ("%d of at most %d"):format(steady, most))
  end)

  it("follows a ramping arrival rate", function()
    local document, code, out, err = run(script([[executor = "ramping-arrival-rate", start_rate = 0,
      stages = { { duration = "500ms", target = 1000 }, { duration = "500ms", target = 1000 } }, ]] .. SET))
    assert.equal(0, code, out .. err)
    assert.equal(750, metric(document, "iterations").count)
  end)

  it("drops arrivals that find no user, counts them, and says whose fault it was", function()
    local document, code = run(script([[executor = "constant-arrival-rate", rate = 200, duration = "1s", max_vus = 2,
      exec = function(vu) vu:sleep(0.1) end]]))
    assert.equal(0, code)
    local made, dropped = metric(document, "iterations").count, metric(document, "iterations_dropped").count
    assert.equal(200, made + dropped + metric(document, "iterations_interrupted").count)
    assert.is_true(dropped > 150)
    assert.truthy(document.limit_reason:find("max_vus", 1, true))
    local _, strict, _, why = run(script([[executor = "constant-arrival-rate", rate = 200, duration = "200ms", max_vus = 1,
      exec = function(vu) vu:sleep(0.1) end]]), { "--strict", "--quiet" })
    assert.equal(98, strict)
    assert.matches("^wingman run: %-%-strict: the [^\n]+ iterations were dropped: [^\n]+\n$", why)
  end)

  it("drops and counts what it is too late for", function() -- on a clock of its own: executor/arrivals_spec.lua
    local function check(options, text)
      local document, code, out, err = run(script([[executor = "constant-arrival-rate", rate = 1e6, duration = "1s", graceful_stop = "500ms",
        exec = function() local n = 0 for i = 1, 20000 do n = n + i % 7 end end]], text), options)
      assert.equal(0, code, out .. err)
      local made, dropped = metric(document, "iterations").count, metric(document, "iterations_dropped").count
      assert.is_true(made > 0 and dropped > 0, ("%d, %d"):format(made, dropped))
      assert.is_true(document.generator_late)
      assert.equal("generator", document.limit)
      assert.equal(1e6, made + dropped)
    end
    for _, workers in ipairs { "1", "2" } do check { "--workers", workers } end
    check({}, [[nemesis = { { at = "200ms", call = function(run) assert(run:pause()) end },
      { at = "900ms", call = function(run) assert(run:resume()) end } },]])
  end)

  it("says that iterations were dropped for the cluster when users wait for it", function()
    local document = run(script([[executor = "constant-arrival-rate", rate = 200, duration = "1500ms", max_vus = 2, ]] .. WAIT,
      [[nemesis = { { at = "100ms", fault = "ack-delay", node = "all", args = { 200 } } },]]))
    assert.is_true(document.faults[1].ok, document.faults[1].detail)
    assert.is_true(metric(document, "iterations_dropped").count > 100)
    assert.truthy(document.limit_reason:find("every user waited for the cluster", 1, true), document.limit_reason)
  end)

  it("begins once the owners of all partitions are connected, with one seed, too", function()
    local cluster = assert(sim.start { nodes = 3 })
    finally(function() cluster:stop() end)
    local _, code, out, err = run(([[
      local load = require "wingman.load"
      return load.test {
        cluster = %q, client = { auth = { token = %q } },
        scenarios = {
          first = { executor = "shared-iterations", iterations = 1, exec = function(vu)
            vu:check(#vu.client:connected_nodes() .. " nodes", #vu.client:connected_nodes() == 3)
          end },
        },
        thresholds = { checks = "rate==1" },
      }]]):format(cluster.urls[1], cluster.token))
    assert.equal(0, code, out .. err)
  end)

  it("says that the op log was full, and counts the wait for room", function()
    local document, code, out, err = run(script([[executor = "shared-iterations", iterations = 300, vus = 4, ]] .. SET,
      [[client = { oplog = { max_ops = 20 } }, nemesis = { { at = 0, fault = "ack-delay", node = "all", args = { 30 } } },]]))
    assert.equal(0, code, out .. err)
    assert.truthy(document.limit_reason:find("the op log was full", 1, true), document.limit_reason)
    assert.equal(300, metric(document, "ops_acked").count)
    -- A write that waited for room is as late as the caller found it: the mean latency is that
    -- of queue, sending and server, and of the wait. Of the 20 that an acknowledgement makes room
    -- for, four users had waited for it.
    local function mean(name) return metric(document, name).mean end
    local wait = mean "op_latency" - mean "op_queue" - mean "op_send" - mean "op_ack"
    assert.is_true(wait > 0.05 * mean "op_latency", ("mean wait for room %g of latency %g; queue %g, sending %g, ack %g"):format(
      wait, mean "op_latency", mean "op_queue", mean "op_send", mean "op_ack"))
  end)

  it("gives iterations that are under way their time, and then gives them up", function()
    local document, code, out, err = run([[
      local load = require "wingman.load"
      return load.test {
        cluster = "sim://3",
        scenarios = {
          short = { executor = "constant-vus", vus = 2, duration = "200ms", graceful_stop = "5s", exec = function(vu) vu:sleep(0.5) end },
          long = { executor = "constant-vus", vus = 3, duration = "200ms", graceful_stop = "100ms", exec = function(vu) vu:sleep(60) end },
        },
      }]])
    assert.equal(0, code, out .. err)
    assert.equal(2, metric(document, "iterations", { scenario = "short" }).count)
    assert.equal(0, metric(document, "iterations_interrupted", { scenario = "short" }).count)
    assert.equal(0, metric(document, "iterations", { scenario = "long" }).count)
    assert.equal(3, metric(document, "iterations_interrupted", { scenario = "long" }).count)
  end)

  it("starts scenarios at their time, with their tags and environment", function()
    local document, code, out, err = run([[
      local load = require "wingman.load"
      return load.test {
        cluster = "sim://3", tags = { build = "b7" },
        scenarios = {
          late = { executor = "shared-iterations", iterations = 5, start_time = "400ms", tags = { kind = "x" }, env = { map = "m9" },
                   exec = function(vu) assert(vu:wait(vu:map(vu.env.map):set("a", 1))) end },
        },
        thresholds = { ["op_latency{scenario:late}"] = { "count==5" }, ["iterations{scenario:late,kind:x}"] = "count==5" },
      }]])
    assert.equal(0, code, out .. err)
    assert.is_true(document.duration_s >= 0.4)
    assert.equal(5, metric(document, "iterations", { scenario = "late", kind = "x", build = "b7" }).count)
  end)

  it("runs set-up and teardown, checks, groups and metrics of the script", function()
    local document, code, out, err = run([[
      local load = require "wingman.load"
      local orders, size, ok, price = load.counter "orders", load.gauge "size", load.rate "ok", load.trend("price", "ms")
      return load.test {
        cluster = "sim://3",
        setup = function(hand)
          assert(hand:map "shop":set("stock", { n = 10 }))
          return { stock = 10 }
        end,
        scenarios = {
          shop = { executor = "per-vu-iterations", vus = 2, iterations = 10, exec = function(vu)
            assert(vu.data.stock == 10)
            vu:check("odd", vu.iteration % 2 == 1)
            vu:check(vu.iteration, { small = function(n) return n < 4 end, positive = function(n) return n > 0 end })
            orders:add(2)
            size:set(vu.iteration)
            ok:add(vu.iteration > 5)
            price:add(20, { kind = "a" })
            vu:group("pay", function() assert(vu:wait(vu:map "shop":set("a" .. vu.id, 1))) end)
            assert(vu:wait(vu:map "shop":set("b" .. vu.id, 1)))
          end },
        },
        teardown = function(hand) assert(hand:map "shop":get("stock").n == 10) end,
        thresholds = { checks = { "rate>0.1" }, orders = { "count==40" }, ["price{kind:a}"] = { "p(99)<25ms", "min>15ms" } },
      }]])
    assert.equal(0, code, out .. err)
    assert.equal(40, metric(document, "orders").count)
    assert.equal(10, metric(document, "size").max)
    assert.same({ 10, 20 }, { metric(document, "ok").passed, metric(document, "ok").total })
    local checks = {}
    for _, check in ipairs(document.checks) do checks[check.name] = { check.passed, check.failed } end
    assert.same({ odd = { 10, 10 }, small = { 6, 14 }, positive = { 20, 0 } }, checks)
    assert.same({ 36, 60 }, { metric(document, "checks").passed, metric(document, "checks").total })
    assert.equal(20, metric(document, "op_latency", { scenario = "shop", group = "pay" }).count)
    assert.equal(40, metric(document, "op_latency", { scenario = "shop" }).count)
    assert.equal(40, metric(document, "ops_recorded").count) -- without set-up
  end)

  it("has a total of everything that nodes and groups have, which thresholds can look at", function()
    local document, code, out, err = run([[
      local load = require "wingman.load"
      local function write(vu)
        local key = "k" .. vu.id .. "-" .. vu.iteration
        vu:group("pay", function() assert(vu:wait(vu:map "shop":set(key, 1))) end)
        vu:group("ship", function() assert(vu:wait(vu:map "shop":set(key, 2))) end)
      end
      return load.test {
        cluster = "sim://3",
        scenarios = {
          a = { executor = "per-vu-iterations", vus = 5, iterations = 10, exec = write },
          b = { executor = "per-vu-iterations", vus = 5, iterations = 20, exec = write },
        },
        thresholds = {
          ops_sent = "count==300", bytes_acked = "count>0", group_duration = "count==300",
          ["group_duration{group:pay}"] = "count==150", ["group_duration{scenario:a}"] = "count==100",
        },
      }]])
    assert.equal(0, code, out .. err)
    for _, name in ipairs { "ops_sent", "ops_acked", "batches_sent", "bytes_sent", "bytes_acked" } do
      local sum = 0
      for _, node in ipairs(document.environment.nodes) do sum = sum + metric(document, name, { node = node }).count end
      assert.is_true(sum > 0, name)
      assert.equal(sum, metric(document, name).count, name)
    end
  end)

  it("ends a group that raises an error, and passes the error on", function()
    local document, code, out, err = run [[
      local load = require "wingman.load"
      local function boom() error "boom" end
      return load.test { cluster = "sim://1",
        scenarios = {
          caught = { executor = "per-vu-iterations", vus = 2, iterations = 3, exec = function(vu)
            local function write() assert(vu:wait(vu:map "m":set("k" .. vu.id, vu.iteration))) end
            local ok, message = pcall(vu.group, vu, "outer", function()
              write()
              vu:group("inner", function() write() boom() end)
            end)
            assert(not ok and message:find "^[^\n]*:2: boom$", message)
            assert(select("#", vu:group("after", function(own) assert(own == vu) return nil, nil end)) == 2)
            write()
          end },
          raised = { executor = "per-vu-iterations", vus = 1, iterations = 1, start_time = "100ms", exec = function(vu) vu:group("last", boom) end },
        } }]]
    assert.equal(1, code, out .. err)
    local function ops(tags) return metric(document, "op_latency", tags).count end
    assert.equal(18, ops { scenario = "caught" })
    assert.equal(6, ops { scenario = "caught", group = "outer" })
    assert.equal(6, ops { scenario = "caught", group = "inner" })
    assert.equal(6, metric(document, "group_duration").count)
    assert.equal(6, metric(document, "group_duration", { scenario = "caught", group = "after" }).count)
    assert.truthy(err:find("stdin:2: boom", 1, true), err)
    assert.truthy(err:find("in function 'boom'", 1, true) or err:find("stdin:2: in function", 1, true), err)
    assert.same({ { code = "SCRIPT", count = 1 } }, document.errors)
  end)

  it("counts an error of the cluster by its code, and takes one of the script for a failure", function()
    local document, code, out, err = run([[
      local load = require "wingman.load"
      local errors = require "wingman.base.error"
      return load.test { cluster = "sim://3", scenarios = {
        a = { executor = "shared-iterations", iterations = 10, exec = function(vu)
          if vu.iteration % 2 == 0 then error(errors.new("LOG_FULL", "for the spec")) end
        end } } }]])
    assert.equal(0, code, out .. err)
    assert.same({ { code = "LOG_FULL", count = 5 } }, document.errors)
    document, code, out, err = run([[
      local load = require "wingman.load"
      return load.test { cluster = "sim://3", scenarios = {
        a = { executor = "shared-iterations", iterations = 10, exec = function(vu)
          if vu.iteration == 3 then local t = nil; t.x = 1 end
        end } } }]])
    assert.equal(1, code, out)
    assert.equal("error", document.outcome)
    assert.truthy(err:find("scenario 'a'", 1, true))
    assert.truthy(err:find("stdin:4:", 1, true), err)
    assert.same({ { code = "SCRIPT", count = 1 } }, document.errors)
  end)

  it("fails when writes are not acknowledged, unless a threshold says how many may be left", function()
    local dead = [[drain = "100ms", setup = function(hand) assert(hand.client:cluster():pause "node-1") end, ]]
    local text = script([[executor = "shared-iterations", iterations = 5, ]] .. SET, dead .. [[thresholds = { iterations = "count==5" }]])
    text = text:gsub("sim://3", "sim://1")
    local document, code, out, err = run(text)
    assert.equal(99, code, out .. err)
    assert.equal(5, metric(document, "ops_unacknowledged").count)
    assert.truthy(out:find("FAILED  ops_unacknowledged count==0 was 5", 1, true), out)
    document, code, out, err = run((text:gsub("thresholds = { ", [[thresholds = { ops_unacknowledged = "count<=5", ]])))
    assert.equal(0, code, out .. err)
    assert.equal(5, metric(document, "ops_unacknowledged").count)
  end)

  it("fails when the test was over before the time of a planned fault", function()
    local document, code, out = run(script([[executor = "shared-iterations", iterations = 1, exec = function() end]],
      [[nemesis = { { at = "500s", kill = "node-1" } }]]))
    assert.equal(1, code, out)
    assert.equal("error", document.outcome)
    assert.truthy(document.reason:find("'kill node-1' did not take place: it was planned for 8m20s", 1, true), document.reason)
    assert.is_false(document.faults[1].ok)
  end)

  it("refuses what is no number for a metric, at the line that gave it", function()
    for call, words in pairs {
      ["counter:add(0/0)"] = "counter 'c': a finite number is expected", ["counter:add(1/0)"] = "counter 'c'",
      ["trend:add(-1)"] = "trend 't': a number from 0 is expected", ["trend:add(0/0)"] = "trend 't'", ["trend:add(1/0)"] = "trend 't'",
    } do
      local document, code, out, err = run(([[
        local load = require "wingman.load"
        local counter, trend = load.counter "c", load.trend "t"
        return load.test { cluster = "sim://1",
          scenarios = { a = { executor = "shared-iterations", iterations = 3, exec = function()
            counter:add()
            trend:add(0.5)
            %s
          end } } }]]):format(call))
      assert.equal(1, code, out .. err)
      assert.truthy(err:find(words, 1, true), err)
      assert.truthy(err:find(":7:", 1, true), err)
      assert.equal("error", document.outcome)
      assert.same({ 3, 3 }, { metric(document, "c").count, metric(document, "t").count })
    end
  end)

  it("measures nothing of the set-up", function()
    local document, code, out, err = run(script([[executor = "constant-arrival-rate", rate = 100, duration = "1100ms", keys = { count = 100 },
      exec = function(vu) vu:map "m":set(vu:key(), 1) end]],
      [[setup = function(hand) for i = 1, 5000 do hand:map "m":set("k" .. i, i) end end,]]))
    assert.equal(0, code, out .. err)
    assert.equal(110, metric(document, "ops_recorded").count)
    assert.is_true(metric(document, "batch_size").max <= 110) -- that of the set-up was up to 1,000
  end)

  it("repeats its random choices with a seed", function()
    local function keys_of(seed)
      local path = load_run.file ""
      local code, out, err = load_run.finish(load_run.start(([[
        local load = require "wingman.load"
        local keys = {}
        return load.test { cluster = "sim://1", scenarios = { a = { executor = "per-vu-iterations", vus = 3, iterations = 5,
          keys = { count = 1000000 }, exec = function(vu) keys[#keys + 1] = vu.id .. ":" .. vu:key() end } },
          teardown = function() table.sort(keys) local f = io.open(%q, "w") f:write(table.concat(keys, " ")) f:close() end }]])
        :format(path), { "--quiet", "--seed", tostring(seed) }))
      assert.equal(0, code, out .. err)
      return io.open(path):read "*a"
    end
    local a, b, c = keys_of(5), keys_of(5), keys_of(6)
    assert.equal(a, b)
    assert.are_not.equal(a, c)
  end)

  it("takes a policy file", function()
    -- A node by its name: which one is the first of those that are connected may change.
    local policy = load_run.file [[return { routing = function(_, view) return view:usable "node-2" and "node-2" or nil end }]]
    local document, code, out, err = run(script([[executor = "shared-iterations", iterations = 50, ]] .. SET), { "--policy", policy })
    assert.equal(0, code, out .. err)
    local busy = 0
    for _, node in ipairs(document.environment.nodes) do
      if metric(document, "ops_acked", { node = node }).count > 0 then busy = busy + 1 end
    end
    assert.equal(1, busy)
    assert.equal(policy, document.environment.policy)
  end)

  it("is ended by SIGINT with what there is, and 130", function()
    local path = load_run.file ""
    local child = load_run.start(script([[executor = "constant-arrival-rate", rate = 100, duration = "60s", ]] .. SET), { "--out", "json=" .. path })
    assert.truthy(child:read_line(60))
    assert(child:kill "SIGINT")
    local code = load_run.finish(child)
    assert.equal(130, code)
    local document = assert(report.read(path))
    assert.equal("interrupted", document.outcome)
    assert.is_true(metric(document, "iterations").count > 0)
    assert.equal(metric(document, "ops_recorded").count,
      metric(document, "ops_acked").count + metric(document, "ops_unacknowledged").count)
  end)

  it("leaves other scripts alone", function()
    local code, out = load_run.finish(load_run.start [[print "hello" return 7]])
    assert.equal(7, code)
    assert.equal("hello\n", out)
    local with_option, _, err = load_run.finish(load_run.start([[return 0]], { "--quiet" }))
    assert.equal(2, with_option)
    assert.truthy(err:find("only load tests take options", 1, true))
  end)
end)
