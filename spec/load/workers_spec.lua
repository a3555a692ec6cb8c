--- --workers N: threads whose joined report is that of one worker.
local eventually = require "spec.support.eventually"
local load_run = require "spec.support.load_run"
local report = require "wingman.report"

local metric, script = load_run.metric, load_run.script

local function run(text, options) return load_run.run(text, options) end

local TEST = [[
  local load = require "wingman.load"
  local orders = load.counter "orders"
  return load.test {
    cluster = "sim://3",
    setup = function(hand) assert(hand:map "m":set("set-up", 1)) return { amount = 3 } end,
    scenarios = {
      open = { executor = "constant-arrival-rate", rate = 1001, duration = "1s", keys = { count = 5000, distribution = "sequential" },
               exec = function(vu) orders:add(vu.data.amount) vu:map "m":set(vu:key(), vu.id) vu:check("fine", true) end },
      shared = { executor = "shared-iterations", iterations = 101, vus = 2, exec = function(vu) assert(vu:wait(vu:map "m":set("a", 1))) end },
      each = { executor = "per-vu-iterations", iterations = 7, vus = 5, exec = function(vu) assert(vu:wait(vu:map "m":set("b" .. vu.id, 1))) end },
    },
    thresholds = { ops_unacknowledged = { "count==0" }, iterations = { "count==1137" }, orders = { "count==3003" } },
    teardown = function(hand) print("STOCK " .. tostring(hand:map "m":get "set-up")) end,
  }]]

describe("a run with workers", function()
  after_each(load_run.clean)

  it("counts what a run without them counts, to the partition", function()
    local one, code, out, err = run(TEST)
    assert.equal(0, code, out .. err)
    for _, workers in ipairs { 2, 3 } do
      local many, code_many, out_many, err_many = run(TEST, { "--workers", tostring(workers) })
      assert.equal(0, code_many, out_many .. err_many)
      assert.is_true(report.validate(many))
      assert.equal(workers, many.shards[1].workers)
      assert.equal(1, #many.shards)
      for _, name in ipairs { "iterations", "ops_recorded", "ops_acked", "ops_unacknowledged", "op_latency", "op_queue", "lateness", "orders", "iterations_dropped" } do
        assert.equal(metric(one, name).count, metric(many, name).count, name)
      end
      for _, scenario in ipairs { "open", "shared", "each" } do
        local tags = { scenario = scenario }
        assert.equal(metric(one, "iterations", tags).count, metric(many, "iterations", tags).count, scenario)
      end
      assert.same(one.checks, many.checks)
      local ops_one, ops_many = 0, 0
      for p = 1, 271 do ops_one, ops_many = ops_one + one.partitions.ops[p], ops_many + many.partitions.ops[p] end
      assert.equal(ops_one, ops_many)
      local points = 0
      for _, point in ipairs(many.series.points) do points = points + point.counters.ops_acked end
      assert.equal(1137, points)
      -- set-up and teardown are of one thread
      local _, times = out_many:gsub("STOCK 1", "")
      assert.equal(1, times)
    end
  end)

  it("starts them together: none waits until another one is ready", function()
    local meeting = load_run.file ""
    -- Loaded once by the coordinator, which is alone, and by each worker, which waits for the others.
    local code, out, err = load_run.finish(load_run.start(([[
      local load = require "wingman.load"
      local loop = require "wingman.loop"
      local function present()
        local count = 0
        for _ in io.lines "%s" do count = count + 1 end
        return count
      end
      local file = io.open("%s", "a")
      file:write "here\n"
      file:close()
      if present() > 1 and not loop.wait_until(function() return present() == 4 end, %d) then error("only " .. present() .. " are here") end
      return load.test { cluster = "sim://3", scenarios = { main = { executor = "shared-iterations", iterations = 3, vus = 3,
        exec = function(vu) vu:map "m":set("k", 1) end } } }
    ]]):format(meeting, meeting, eventually.PATIENCE), { "--workers", "3" }))
    assert.equal(0, code, out .. err)
  end)

  it("spreads the same keys over the same partitions", function()
    local text = script [[executor = "shared-iterations", iterations = 600, vus = 3, keys = { count = 600, distribution = "sequential" },
      exec = function(vu) vu:map "m":set(vu:key(), 1) end]]
    local one, many = run(text), run(text, { "--workers", "3" })
    assert.same(one.partitions.ops, many.partitions.ops)
  end)

  it("keeps the plan of faults once, for all", function()
    local document, code, out, err = run(script([[executor = "constant-arrival-rate", rate = 600, duration = "3s", keys = { count = 100 },
      exec = function(vu) vu:map "m":set(vu:key(), 1) end]],
      [[nemesis = { { at = "800ms", kill = "owner-of:key-1" }, { at = "1500ms", restart = "last" }, { at = "2s", rate = 100 } },
        thresholds = { ops_unacknowledged = { "count==0" } },]]), { "--workers", "2" })
    assert.equal(0, code, out .. err)
    assert.equal(3, #document.faults)
    for _, fault in ipairs(document.faults) do assert.is_true(fault.ok, fault.detail) end
    assert.equal(2, metric(document, "failover_time").count) -- each has its own client
    -- 600 a second until the last step, and 100 from then on.
    local changed = document.faults[3].at_s
    local count, most = metric(document, "iterations").count, 600 * changed + 100 * (3 - changed)
    assert.is_true(changed >= 2 and count <= most + 100, ("%d of at most %.0f iterations, changed at %.3f s"):format(count, most, changed))
  end)

  it("tells a mistake in the script, and ends with 1", function()
    local document, code, _, err = run(script [[executor = "shared-iterations", iterations = 4, exec = function() local t = nil; t.x = 1 end]], { "--workers", "2" })
    assert.equal(1, code)
    assert.equal("error", document.outcome)
    assert.truthy(err:find("attempt to index", 1, true), err)
  end)

  it("ends with 3 when nobody can be reached", function()
    local _, code = run([[
      local load = require "wingman.load"
      return load.test { cluster = { seeds = { "ws://127.0.0.1:1" } }, client = { start_timeout = 0.5 },
        scenarios = { a = { executor = "shared-iterations", iterations = 1, exec = function() end } } }]], { "--workers", "2" })
    assert.equal(3, code)
  end)

  it("aborts on a threshold of the whole", function()
    local document, code, out, err = run(script([[executor = "constant-arrival-rate", rate = 100, duration = "50s", exec = function() end]],
      [[thresholds = { iterations = { { "count<120", abort = true } } },]]), { "--workers", "2" })
    assert.equal(99, code, out .. err)
    assert.equal("aborted", document.outcome)
    assert.is_true(document.thresholds[1].aborted)
    assert.is_false(document.finished)
  end)

  it("looks at thresholds with tags as a run without them does", function()
    local text = [[
      local load = require "wingman.load"
      local function write(vu) vu:group("pay", function() assert(vu:wait(vu:map "m":set("a", 1))) end) end
      return load.test {
        cluster = "sim://3",
        scenarios = {
          one = { executor = "shared-iterations", iterations = 20, vus = 2, tags = { team = "t" }, exec = write },
          two = { executor = "shared-iterations", iterations = 30, vus = 2, tags = { team = "t" }, exec = write },
          other = { executor = "shared-iterations", iterations = 40, vus = 2, exec = write },
        },
        thresholds = {
          ["iterations{scenario:one}"] = "count==20", ["iterations{team:t}"] = "count==50", ["op_latency{team:t}"] = "count==50",
          ["op_latency{group:pay}"] = "count==90",
        },
      }]]
    for _, workers in ipairs { 1, 2 } do
      local document, code, out, err = run(text, { "--workers", tostring(workers) })
      assert.equal(0, code, workers .. out .. err)
      assert.equal(5, #document.thresholds) -- with the one on ops_unacknowledged that every test has
    end
  end)

  it("is steered, and stopped by a signal with its report", function()
    local path, out = load_run.file "", load_run.file ""
    os.remove(path)
    local child = load_run.start(script [[executor = "constant-arrival-rate", rate = 100, duration = "1h", exec = function() end]],
      { "--workers", "2", "--control", path, "--out", "json=" .. out })
    assert(child:read_line(60))
    local code, _, err = load_run.ctl(path, "rate", "1000")
    assert.equal(0, code, err)
    assert.equal(1000, load_run.status(path).scenarios[1].target)
    local _, _, pause_err = load_run.ctl(path, "pause", "none")
    assert.truthy(pause_err:find("'none'", 1, true))
    load_run.status_when(path, "three times as many iterations as 100 a second give", function(now)
      return now.scenarios[1].iterations > 300 * now.elapsed_s
    end)
    assert(child:kill "SIGINT")
    local ended = load_run.finish(child)
    assert.equal(130, ended)
    local document = assert(report.read(out))
    assert.equal("interrupted", document.outcome)
    assert.is_true(metric(document, "iterations").count > 100)
  end)

  it("logs more of the clients of all once it is ordered to, by a step of the script as by an order", function()
    for _, workers in ipairs { "1", "2" } do
      local _, code, out, err = run(script([[executor = "constant-arrival-rate", rate = 50, duration = "2s",
        exec = function(vu) vu.client.options.log_to("info", "iteration", { user = vu.id }) end]],
        [[nemesis = { { at = "500ms", call = function(steering)
            local ok, why = steering:log "loud"
            assert(not ok and why:find("debug, info", 1, true))
            print("BEFORE " .. steering:status().scenarios[1].iterations)
            assert(steering:log "info")
          end } }, thresholds = { ["errors"] = "count==0" },]]), { "--workers", workers })
      assert.equal(0, code, out .. err)
      local lines, users = 0, {}
      for user in err:gmatch "wingman: info iteration user=(%d+)" do
        lines, users[tonumber(user) % tonumber(workers)] = lines + 1, true
      end
      local before = tonumber(out:match "BEFORE (%d+)")
      assert.is_true(before > 0 and lines <= 100 - before, ("%d lines of 100, of which %d came before the order"):format(lines, before))
      for worker = 0, tonumber(workers) - 1 do assert.is_true(users[worker], "worker " .. worker) end
    end
  end)

  it("keeps the processors awake for all of them", function()
    local one = script [[executor = "shared-iterations", iterations = 10, exec = function(vu) assert(vu:wait(vu:map "m":set("a", 1))) end]]
    local document, code, out, err = run(one, { "--keep-awake", "--workers", "2" })
    assert.equal(0, code, out .. err)
    assert.equal(io.popen "nproc":read "*n", document.environment.processors_awake)
  end)
end)
