--- Metrics of a script: what a test records in them, what they refuse.
local load_run = require "spec.support.load_run"
local report = require "wingman.report"

local run, metric = load_run.run, load_run.metric

describe("the metrics of a script", function()
  after_each(load_run.clean)

  it("have totals that hold every sample, those with tags of their own too", function()
    local document, code, out, err = run [[
      local load = require "wingman.load"
      local counter, gauge, rate, trend = load.counter "c", load.gauge "g", load.rate "r", load.trend("t", "ms")
      return load.test { cluster = "sim://1",
        scenarios = { s = { executor = "per-vu-iterations", vus = 1, iterations = 5, exec = function(vu)
          counter:add(1, { kind = "auth" })
          counter:add(10, { kind = "x,y:z" })
          counter:add(100, { kind = "x", y = "z" })
          counter:add()
          gauge:set(vu.iteration, { kind = "a" })
          rate:add(false, { kind = "a" })
          trend:add(5, { kind = "a" })
        end } },
        thresholds = { c = "count==0", r = "rate>0.9", t = "max<1ms", g = "max<5", ["c{kind:auth}"] = "count==5",
          ['c{kind:"x,y:z"}'] = "count==50", ["c{kind:x,y:z}"] = "count==500" } }]]
    assert.equal(99, code, out .. err)
    local passed = {}
    for _, one in ipairs(document.thresholds) do passed[one.metric] = one.passed end
    assert.same({ c = false, r = false, t = false, g = false, ["c{kind:auth}"] = true, ['c{kind:"x,y:z"}'] = true,
      ["c{kind:x,y:z}"] = true, ops_unacknowledged = true }, passed)
    assert.equal(560, metric(document, "c").count)
    assert.same({ 5, 1, 5 }, { metric(document, "g").value, metric(document, "g").min, metric(document, "g").max })
    assert.equal(5, metric(document, "r").total)
    assert.same({ 5, 5 }, { metric(document, "t").count, metric(document, "t").max })
  end)

  it("refuse what is no sample at the line that gave it, and the reports are written", function()
    for call, words in pairs {
      ['gauge:set "12"'] = "gauge 'g': a number is expected, got \"12\"", ["gauge:set(0/0)"] = "gauge 'g': a number is expected",
      ["gauge:set()"] = "gauge 'g': a number is expected, got nil", ["gauge:add(1)"] = "gauge 'g': it has no add; use set",
      ["rate:add(1)"] = "rate 'r': true or false is expected, got 1", ["rate:set(true)"] = "rate 'r': it has no set; use add",
      ['counter:add(1, "x")'] = "counter 'c': tags are a table, got string",
      ['counter:add("1", { a = "b" })'] = "counter 'c': a finite number is expected, got \"1\"",
    } do
      local document, code, out, err = run(([[
        local load = require "wingman.load"
        local counter, gauge, rate = load.counter "c", load.gauge "g", load.rate "r"
        return load.test { cluster = "sim://1",
          scenarios = { a = { executor = "per-vu-iterations", vus = 1, iterations = 1, exec = function()
            %s
          end } } }]]):format(call))
      assert.equal(1, code, call .. out .. err)
      assert.truthy(err:find("stdin:5: " .. words, 1, true), err)
      assert.is_true(report.validate(document))
    end
  end)

  it("leave a report that can be written, whatever their tags, checks and groups are named", function()
    local document, code, out, err = run([[
      local load = require "wingman.load"
      local counter, trend = load.counter "c", load.trend "t"
      return load.test { cluster = "sim://1", tags = { [1] = "x", odd = {} },
        scenarios = { s = { executor = "per-vu-iterations", vus = 1, iterations = 1, tags = { [true] = 5 }, exec = function(vu)
          counter:add(1, { [1] = "a", [true] = 5 })
          trend:add(3, { x = "\255" })
          vu:check("\255\n", true)
          vu:check(1, { [5] = function() return true end })
          vu:group(5, function() end)
        end } } }]], { "--out", "html=" .. load_run.file "", "--out", "junit=" .. load_run.file "", "--out", "prometheus=" .. load_run.file "" })
    assert.equal(0, code, out .. err)
    assert.equal(1, metric(document, "c", { ["1"] = "a", ["true"] = "5" }).count)
    local _, _, _, wrong = run [[require "wingman.load".counter("c", 5)]]
    assert.truthy(wrong:find("stdin:1: load.counter: 'c': a unit is a text, got number", 1, true), wrong)
  end)

  it("hold times above an hour, and tell what is above all that they hold", function()
    local document, code, out, err = run [[
      local load = require "wingman.load"
      local big, huge = load.trend("big", "s"), load.trend("huge", "s")
      return load.test { cluster = "sim://1",
        scenarios = { s = { executor = "per-vu-iterations", vus = 1, iterations = 5, exec = function()
          big:add(7200)
          huge:add(1e9)
        end } },
        thresholds = { big = { "max>7199s", "max<7201s" }, huge = { "max<2000000s", "avg<2000000s" } } }]]
    assert.equal(99, code, out .. err)
    assert.near(7200, metric(document, "big").max, 8)
    local passed = {}
    for i, one in ipairs(document.thresholds) do passed[i] = one.passed end
    assert.same({ true, true, false, false, true }, passed)
    local words = "5 values of huge were above 1099512 s"
    assert.truthy(out:gsub("%s+", " "):find(words, 1, true), out)
    assert.truthy(report.render(document, "html"):find(words, 1, true))
  end)

  it("have a code for an error that is a number, and the report is written", function()
    local document, code, out, err = run [[
      local load = require "wingman.load"
      return load.test { cluster = "sim://1",
        scenarios = {
          a = { executor = "per-vu-iterations", vus = 1, iterations = 10, exec = function() error { code = "MY", message = "x" } end },
          b = { executor = "per-vu-iterations", vus = 1, iterations = 3, exec = function(vu)
            vu:check("began", true) -- a run that measured nothing would end with 1
            error { code = 404 }
          end },
        },
        thresholds = { errors = "count==13", ["errors{scenario:a}"] = "count==10", ["errors{scenario:b}"] = "count==3",
          ["errors{code:404}"] = "count==3", ["errors{code:MY,scenario:b}"] = "count==0", ["errors{code:TIMEOUT}"] = "count==0" } }]]
    assert.equal(0, code, out .. err)
    assert.same({ { code = "404", count = 3 }, { code = "MY", count = 10 } }, document.errors)
  end)

  it("are refused a threshold that nothing will be measured for, before the run", function()
    local document, code, _, err = run [[
      local load = require "wingman.load"
      return load.test { cluster = "sim://1",
        scenarios = { a = { executor = "per-vu-iterations", vus = 1, iterations = 1, exec = function() end } },
        thresholds = { ["checks{chek:is ok}"] = "rate>0.3" } }]]
    assert.equal(2, code, err)
    assert.is_nil(document)
    assert.truthy(err:find("checks has no tag 'chek'", 1, true), err)
  end)
end)
