local fixture = require "spec.report.fixture"
local layout = require "wingman.text.layout"
local report = require "wingman.report"

local function lines(text)
  local list = {}
  for line in text:gmatch "([^\n]*)\n" do list[#list + 1] = line end
  return list
end

describe("report summary", function()
  local passed = fixture.document { rate = 500 }
  local failed = fixture.document { rate = 500, slow = 150, late = true }

  it("says in its first line whether the run passed, and what was done", function()
    assert.equal("PASSED  15,000 operations acknowledged in 30.0 s, none unacknowledged, 14 errors", lines(report.summary(passed))[1])
  end)

  it("says in its first line why a run failed", function()
    local text = report.summary(failed, { width = 200 })
    assert.equal("FAILED  op_latency{scenario:writes} p(99)<50ms was 254 ms, and 1 more of 4 thresholds", lines(text)[1])
    local interrupted = fixture.document { rate = 50, seconds = 2, kill = false }
    interrupted.outcome, interrupted.reason, interrupted.finished = "interrupted", "by SIGINT after 2 s", false
    assert.equal("INTERRUPTED  by SIGINT after 2 s", lines(report.summary(interrupted))[1])
    interrupted.outcome, interrupted.reason = "error", nil
    assert.equal("ERROR  the run did not come to its end", lines(report.summary(interrupted))[1])
  end)

  it("says in its second line that the generator was late, also of a run that passed", function()
    local late = fixture.document { rate = 50, late = true }
    local text = lines(report.summary(late, { width = 200 }))
    assert.equal("PASSED", text[1]:match "^%u+")
    assert.equal("LIMIT   the generator was the limit: lateness p99 was 38 ms, 412 iterations were dropped", text[2])
    assert.matches("\n  limit +generator\n  generator +late ", report.summary(late))
    for limit, words in pairs { cluster = "the cluster was", users = "the number of users was", log = "the op log was" } do
      late.limit, late.generator_late = limit, false
      assert.matches("^LIMIT   " .. words .. " the limit: ", lines(report.summary(late, { width = 200 }))[2])
      assert.matches("\n  limit +" .. limit .. "\n  generator +on time ", report.summary(late))
    end
    assert.matches("\n  limit +none\n", report.summary(passed))
    assert.is_nil(report.summary(passed):find "LIMIT")
  end)

  it("has the percentiles, what was lost, the failover and every threshold", function()
    local text = report.summary(passed)
    for _, pattern in ipairs {
      "\n  latency +p50 %d+ us  p90 %d+ us  p99 [%d.]+ ms  p99.9 [%d.]+ ms  max [%d.]+ ms\n", "\n  operations +unacknowledged 0   sent again 37",
      "\n  failover +node%-2 lost at 10.0 s, first acknowledgement after 74.1 ms\n", "\n  throughput +500 ops/s acknowledged",
      "\n  ok  ops_unacknowledged +count==0 +0\n", "\n  99.5 %%  status is ok  10 of 2,000 failed\n", "\n  node%-3 +[%d,]+  [%d.]+ %%",
      "\n  10.0 s  kill node%-2", "\n  14  NOT_OWNER\n", "\n  writes  constant%-arrival%-rate +15,000 +0",
    } do
      assert.matches(pattern, text)
    end
    assert.matches("\n  FAILED  op_latency{scenario:writes}  p%(99%)<50ms +254 ms\n", report.summary(failed))
  end)

  it("says what the host of the machine took, when it is much", function()
    local document = fixture.document { rate = 50 }
    document.environment.cpu_steal = 0.031
    assert.matches("\n  generator +on time .*the hypervisor took 3.1 %% of the processors", report.summary(document, { width = 200 }))
    document.environment.cpu_steal = 0.004
    assert.is_nil(report.summary(document):find "the host")
  end)

  it("says what is unacknowledged, and never that it was lost", function()
    local open = fixture.document { rate = 50 }
    for _, metric in ipairs(open.metrics) do if metric.name == "ops_unacknowledged" then metric.count = 3 end end
    assert.matches("^PASSED  1,500 operations acknowledged in 30.0 s, 3 unacknowledged, 14 errors\n", report.summary(open))
  end)

  it("says what is unverified, rejected and displaced", function()
    local document = fixture.document { rate = 50, kill = false }
    for name, count in pairs { ops_unverified = 5, ops_rejected = 6, ops_dropped = 7, ops_repeated = 8 } do
      document.metrics[#document.metrics + 1] = { name = name, type = "counter", unit = "", tags = {}, count = count }
    end
    local text = report.summary(document, { width = 200 })
    assert.matches("^PASSED  1,500 operations acknowledged in 30.0 s, none unacknowledged, 5 unverified, 6 rejected, 7 displaced from the op log\n", text)
    assert.matches("\n  operations +unacknowledged 0   unverified 5   rejected 6   displaced 7   sent again 37   repeated after a membership change 8\n", text)
  end)

  it("says which shards are missing", function()
    local _, shards = fixture.sharded { shards = 2, rate = 50, seconds = 2 }
    local text = report.summary(shards[1])
    assert.matches("^PART  50 operations acknowledged", text)
    assert.matches("\nPARTS +1 of 2 shards is in this report, and `wingman report merge` judges all\n", text)
    -- Its thresholds are those of the whole: it says what was measured, and neither ok nor FAILED.
    assert.matches("\n  %-  checks +rate>0.95 +0.995\n", text)
    assert.is_nil(text:find "\n  ok")
    local page = report.render(shards[1], "html")
    assert.truthy(page:find("<b>PART</b>", 1, true) and page:find("<b>PARTS</b> 1 of 2 shards", 1, true), page:sub(1, 4000))
  end)

  it("has no escape without colour, and the same text with it", function()
    local plain = report.summary(failed)
    local colour = report.summary(failed, { colour = true })
    assert.is_nil(plain:find "\27")
    assert.matches("^\27%[1;31mFAILED\27%[0m", colour)
    assert.equal(plain, (colour:gsub("\27%[[%d;]*m", "")))
  end)

  it("fits any width", function()
    for _, document in ipairs { passed, failed, fixture.hostile_document() } do
      for _, width in ipairs { 24, 31, 40, 60, 79, 80, 132 } do
        for _, line in ipairs(lines(report.summary(document, { width = width }))) do
          assert.is_true(layout.columns(line) <= width, ("%d columns for %d: %s"):format(layout.columns(line), width, line))
          assert.is_nil(line:find "%s$")
        end
      end
    end
  end)

  it("finds a scenario's latency by all of its tags", function()
    local tagged = fixture.document { rate = 500 }
    tagged.scenarios[1].tags = { team = "x" }
    assert.matches("\n  writes .* +%-  +%-\n", report.summary(tagged))
    for _, metric in ipairs(tagged.metrics) do
      if metric.tags.scenario then metric.tags.team = "x" end
    end
    assert.matches("\n  writes .* %d+ us  [%d.]+ ms\n", report.summary(tagged))
  end)

  it("wraps names that are longer than a line, and loses nothing of them", function()
    local long = fixture.document { rate = 50, seconds = 2 }
    long.scenarios[1].name = ("0123456789"):rep(6)
    long.errors = { { code = ("abcdefghij"):rep(6), count = 1 } }
    local text = report.summary(long, { width = 24 }):gsub("%s", "")
    assert.truthy(text:find(("0123456789"):rep(6), 1, true))
    assert.truthy(text:find(("abcdefghij"):rep(6), 1, true))
  end)

  it("lets no name move the cursor", function()
    local text = report.summary(fixture.hostile_document(), { width = 300 })
    assert.is_nil(text:gsub("\n", ""):find "[%z\1-\31\127]")
    assert.is_nil(text:find "\194[\128-\159]")
    assert.matches("a\\027%[2J\\027%[31mred", text)
  end)

  it("is of use for a run without operations", function()
    local bare = fixture.document { rate = 50, seconds = 2, kill = false }
    bare.metrics = {}
    bare.thresholds, bare.checks, bare.scenarios, bare.series.points = {}, {}, {}, {}
    assert.equal("PASSED  0 iterations in 2.00 s", lines(report.summary(bare))[1])
  end)

  it("raises for what is no document", function()
    assert.has_error(function() report.summary {} end)
  end)
end)
