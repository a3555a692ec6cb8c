--- Maps that a load test follows: how long users' writes take to show in another client's copy.
local histogram = require "wingman.histogram"
local load_run = require "spec.support.load_run"
local report = require "wingman.report"
local topgun_binary = require "wingman.testbed.topgun.binary"

local run, metric = load_run.run, load_run.metric

-- A test with one scenario. `fields` are of the test.
local function script(cluster, scenario, fields)
  return ([[
    local load = require "wingman.load"
    return load.test { cluster = "%s", scenarios = { main = { %s } }, %s }]]):format(cluster, scenario, fields or "")
end

local function count(document, name, tags)
  local found = assert(metric(document, name, tags), name)
  return found.count
end

-- Runs a script that has to pass.
local function passed(text, options)
  local document, code, out, err = run(text, options)
  assert.equal(0, code, out .. err)
  return document, out
end

-- Of all that was written to followed maps something is known.
local function check_sum(document, written)
  assert.equal(written, count(document, "replica_lag") + count(document, "replica_untimed") + count(document, "replica_unseen"))
end

local TURNS = [[executor = "per-vu-iterations", vus = 12, iterations = 5, exec = function(vu)
  local copy = assert(vu:follow "players")
  assert(copy:status().state == "live")
  local players, key = vu:map "players", "p" .. vu.id
  if vu.iteration % 5 == 0 then players:remove(key) else players:set(key, { n = vu.iteration }, {}) end
  vu:check("seen", vu:wait_seen("players", key, "60s"))
end]]

describe("a map that a test follows", function()
  after_each(load_run.clean)

  for _, cluster in ipairs { "sim://2", "sim://2?dialect=0.11", "topgun://1" } do
    it("has each write timed until another client shows it (" .. cluster .. ")", function()
      if cluster:find "^topgun" and not topgun_binary.find() then return pending "the TopGun server is not installed" end
      local document, out = passed(script(cluster, TURNS, [[thresholds = { checks = "rate==1", replica_lag = "count==60",
        ["replica_lag{scenario:main,map:players}"] = "p(99)<60s", replica_lost = "count==0", snapshot_time = "count==2" }]]))
      check_sum(document, 60)
      local lag = metric(document, "replica_lag", { scenario = "main", map = "players" })
      assert.is_true(lag.count == 60 and lag.min > 0)
      assert.is_true(metric(document, "replica_behind", { map = "players" }).value <= 24) -- 12 keys in both copies
      assert.matches("\n  seen after +p50 [^\n]+", out)
      local page = report.render(document, "html")
      for _, text in ipairs { "<dt>seen after p99</dt>", "<td>replica_lag</td>", "<td>snapshot_time</td>" } do
        assert.truthy(page:find(text, 1, true), text)
      end
      assert.truthy(report.render(document, "prometheus"):find("\nwingman_replica_lag_seconds_count 60\n", 1, true))
      -- A node of 0.11 announces only that something has changed: what it dropped is not known.
      assert.equal(cluster:find "0.11" and 0 or 1, count(document, "replica_repairs") == 0 and 1 or 0)
    end)
  end

  it("has what nodes drop in its lag, and counts it", function()
    local document = passed(script("sim://2?event_queue=4", [[executor = "per-vu-iterations", vus = 1, iterations = 3, exec = function(vu)
      vu:follow "m"
      for i = 1, 300 do vu:map "m":set("k" .. i, { n = vu.iteration }) end
      for i = 1, 300 do vu:check("seen", vu:wait_seen("m", "k" .. i, "60s")) end
    end]], [[thresholds = { checks = "rate==1", replica_dropped = "count>0" }]]))
    check_sum(document, 900)
    local lag, dropped = metric(document, "replica_lag"), count(document, "replica_dropped")
    assert.equal(900, lag.count)
    -- A comparison comes 0.1 s after the burst at the earliest.
    local late = lag.count - histogram.import(lag.histogram):count_to(90000)
    assert.is_true(late > 0 and dropped >= late, ("%d late, %d dropped"):format(late, dropped))
  end)

  it("counts a write from when it was due", function()
    local document = passed(script("sim://2", [[executor = "constant-arrival-rate", rate = 200, duration = "500ms", graceful_stop = "60s", max_vus = 1, exec = function(vu)
      vu:map "m":set("k", vu.iteration)
      local loop = require "wingman.loop"
      local ends = loop.now() + 0.01 -- two iterations are due meanwhile
      repeat until loop.now() >= ends
    end]], [[follow = { "m" }]]))
    check_sum(document, count(document, "ops_recorded")) -- of a busy generator not all begin
    local lag, lateness = metric(document, "replica_lag"), metric(document, "lateness")
    assert.is_true(lag.mean >= lateness.mean and lateness.mean > 0.1, ("%g and %g s"):format(lag.mean, lateness.mean))
  end)

  it("counts each write that was due while a node did not answer", function()
    local document = passed(script("sim://2", [[executor = "constant-arrival-rate", rate = 200, duration = "1500ms", exec = function(vu)
      vu:map "m":set("k", { n = vu.id .. "-" .. vu.iteration })
    end]], [[follow = { "m" }, nemesis = { { at = "500ms", pause = "owner-of:k" }, { at = "1s", resume = "last" } } ]]))
    check_sum(document, count(document, "ops_recorded"))
    local lag, stall = metric(document, "replica_lag"), document.faults[2].at_s - document.faults[1].at_s
    local long = lag.count - histogram.import(lag.histogram):count_to(math.floor(stall * 5e5))
    assert.is_true(lag.max > 0.9 * stall and long > 25, ("max %g s, %d longer than half of %g s"):format(lag.max, long, stall))
  end)

  it("fails where no other client sees a write", function()
    local document, code = run(script("sim://2", [[executor = "per-vu-iterations", vus = 1, iterations = 2, exec = function(vu)
      vu:follow "m"
      if vu.iteration == 2 then
        vu.client:cluster():fault("all", "mute", 1)
        vu:map "m":set("late", 2)
        local ok, err = vu:wait_seen("m", "late", "100ms")
        vu:check("told", ok == nil and err.code == "TIMEOUT")
      else
        vu:map "m":set("k", 1)
        vu:check("told", vu:wait_seen("m", "k", "60s"))
      end
    end]], [[drain = "100ms", thresholds = { checks = "rate==1", replica_lag = "p(99)<60s", ops_unacknowledged = "count<=1" }]]))
    assert.equal(99, code)
    for _, one in ipairs(document.thresholds) do assert.equal(one.metric ~= "replica_unseen", one.passed, one.metric) end
    assert.same({ 1, 1, 1 }, { count(document, "replica_unseen"), count(document, "replica_lag"), count(document, "errors", { code = "TIMEOUT" }) })
  end)

  it("says of which writes nobody can see when they arrive", function()
    local document = passed(script("sim://2", [[executor = "per-vu-iterations", vus = 1, iterations = 10, exec = function(vu)
      vu:follow "m"
      vu:map "m":set("k", "same")
      vu:check("seen", vu:wait_seen("m", "k", "60s"))
    end]], [[thresholds = { checks = "rate==1" }]]))
    assert.same({ 1, 9 }, { count(document, "replica_lag"), count(document, "replica_untimed") })
  end)

  it("ends the wait where another client's write was put after the user's, in each worker", function()
    local document = passed(script("sim://2", [[executor = "per-vu-iterations", vus = 4, iterations = 50, exec = function(vu)
      vu:follow "m"
      vu:map "m":set("shared", { by = vu.id, n = vu.iteration })
      vu:check("seen", vu:wait_seen("m", "shared", "60s"))
    end]], [[thresholds = { checks = "rate==1", replica_unseen = "count==0" }]]), { "--workers", "2" })
    check_sum(document, 200)
    assert.equal(4, count(document, "snapshot_time"))
  end)

  it("is caught up after a disconnection, which is timed", function()
    local document = passed(script("sim://2", [[executor = "per-vu-iterations", vus = 1, iterations = 1, exec = function(vu)
      local copy = vu:follow "m"
      local states = {}
      copy:on("state", function(to) states[to] = true end)
      vu.client:cluster():fault("all", "reset")
      require("wingman.loop").wait_until(function() return states.live end, 60)
      vu:map "m":set("k", 1)
      vu:check("seen", vu:wait_seen("m", "k", "60s"))
    end]], [[thresholds = { checks = "rate==1", catch_up_time = "count>=1" }]]))
    check_sum(document, 1)
  end)

  -- Users write keys of two teams and of none; red ones are in a live query of the three best.
  local ROWS = [[executor = "per-vu-iterations", vus = 1, iterations = 6, exec = function(vu)
    local map, i = vu:map "scores", vu.iteration
    local function write(key, value)
      map:set(key, value)
      vu:check("seen", vu:wait_seen("scores", key, "60s"))
    end
    write("in", { team = "red", score = 100 + i })
    write("other", { team = "blue", score = 1000 + i })
    write("low" .. i, { team = "red", score = 50 - i })
    if i == 6 then
      map:remove "in"
      vu:check("seen", vu:wait_seen("scores", "in", "60s"))
    end
  end]]

  for _, cluster in ipairs { "sim://2", "sim://2?dialect=0.11", "topgun://1" } do
    it("has each write to a row timed until a live query reports the row (" .. cluster .. ")", function()
      if cluster:find "^topgun" and not topgun_binary.find() then return pending "the TopGun server is not installed" end
      local document, out = passed(script(cluster, ROWS, [[live = { scores = { where = { team = "red" }, sort = "score desc", limit = 3 } },
        thresholds = { checks = "rate==1", ["live_latency{scenario:main,map:scores}"] = "p(99)<60s" }]]))
      check_sum(document, 19)
      -- "in" seven times, and the first two of the low ones. The third comes into the rows when "in" goes, long after its write.
      local live, lag = metric(document, "live_latency", { scenario = "main", map = "scores" }), metric(document, "replica_lag")
      assert.equal(9, live.count)
      assert.is_true(live.min > 0 and live.max < 60 and lag.count == 19, ("%g s to %g s"):format(live.min, live.max))
      assert.matches("\n  row after +p50 [^\n]+", out)
      local csv, html = report.render(document, "csv"), report.render(document, "html")
      for _, name in ipairs { "replica_lag_p50_s", "replica_lag_max_s", "live_latency_p99_s" } do assert.truthy(csv:find("," .. name .. ",", 1, true), name) end
      assert.truthy(html:find("<td>live_latency</td>", 1, true))
      local counts = { replica_lag = 0, live_latency = 0 }
      for _, point in ipairs(document.series.points) do
        for name, count_before in pairs(counts) do
          if point[name] then counts[name] = count_before + histogram.import(point[name]):count() end
        end
      end
      assert.same({ replica_lag = 19, live_latency = 9 }, counts)
    end)
  end

  it("without a limit has each write to a row timed, and no other one", function()
    local document = passed(script("sim://2", ROWS, [[live = { scores = { where = { team = "red" } } }, thresholds = { checks = "rate==1" }]]))
    assert.equal(13, count(document, "live_latency"))
  end)

  it("is refused where users have connections of their own, and where nothing was followed or written", function()
    for _, case in ipairs {
      { [[vu:follow "m"]], [[connections = "per-vu"]], 'vu:follow: refused with connections = "per-vu": a copy belongs to the client that all users share' },
      { [[vu:wait_seen("m", "k")]], "", "vu:wait_seen: map 'm' is not followed; vu:follow does that" },
      { [[vu:follow "m" vu:wait_seen("m", "k")]], "", "vu:wait_seen: no user has written 'k' since vu:follow" },
    } do
      local _, code, out, err = run(script("sim://2", ([[executor = "per-vu-iterations", vus = 1, iterations = 1, exec = function(vu) %s end]]):format(case[1]), case[2]))
      assert.equal(1, code, out .. err)
      assert.truthy((out .. err):find(case[3], 1, true), out .. err)
    end
    for fields, words in pairs {
      [ [[follow = { "m" }, connections = "per-vu"]] ] = 'option follow: refused with connections = "per-vu": a copy belongs',
      [ [[follow = { 1 }]] ] = "option follow[1]: the name of a map is expected, got number",
      [ [[follow = { m = true }]] ] = "option follow: a list of names is expected",
      [ [[live = { m = { limt = 1 } }]] ] = "option live.m: unknown option 'limt'; did you mean 'limit'?",
      [ [[live = { m = { where = { a = { near = 1 } } } }]] ] = "option live.m: ",
      [ [[live = { "m" }]] ] = "option live: a table of maps and their queries is expected",
      [ [[live = { m = {} }, connections = "per-vu"]] ] = 'option live: refused with connections = "per-vu": a copy belongs',
      [ [[thresholds = { live_latency = "p(99)<1s" }]] ] = "only tests with the option live have a live query",
      [ [[connections = "per-vu", thresholds = { replica_lag = "p(99)<1s" }]] ] = 'tests with connections = "per-vu" follow no map',
    } do
      local _, code, _, err = run(script("sim://2", [[executor = "per-vu-iterations", vus = 1, iterations = 1, exec = print]], fields))
      assert.equal(2, code)
      assert.truthy(err:find(words, 1, true), err)
    end
  end)
end)
