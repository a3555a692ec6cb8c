local fixture = require "spec.report.fixture"
local report = require "wingman.report"

local schema = debug.getinfo(1, "S").source:match "^@(.*)junit_spec%.lua$" .. "junit.xsd"

local function run(command)
  local pipe = assert(io.popen(command .. " 2>&1; echo $?"))
  local text = pipe:read "*a"
  pipe:close()
  local said, code = text:match "^(.-)(%d+)\n$"
  return tonumber(code), said
end

local xmllint = run "command -v xmllint" == 0

local function with_file(text, fn)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  local ok, err = pcall(fn, path)
  os.remove(path)
  if not ok then error(err, 0) end
end

local function validated(text)
  local code, said
  with_file(text, function(path) code, said = run(("xmllint --noout --schema %s %s"):format(schema, path)) end)
  return code == 0, said
end

local function xpath(text, query)
  local said
  with_file(text, function(path)
    local _
    _, said = run(("xmllint --xpath '%s' %s"):format(query, path))
  end)
  return (said:gsub("\n$", ""))
end

describe("report as JUnit", function()
  local function check(name, fn)
    if xmllint then return it(name, fn) end
    pending(name .. " (xmllint is not installed; Debian: libxml2-utils)")
  end

  local failed = fixture.document { rate = 500, slow = 150, late = true }

  check("fits the schema, whatever the names and the outcome", function()
    local broken = fixture.document { rate = 50, seconds = 2 }
    broken.outcome, broken.reason, broken.name = "error", "no connection", ""
    for _, document in ipairs { fixture.document { rate = 50 }, failed, fixture.hostile_document(), broken } do
      local ok, said = validated(report.render(document, "junit"))
      assert.is_true(ok, said)
    end
  end)

  check("would not pass the schema without what it requires", function()
    local text = report.render(failed, "junit")
    for _, change in ipairs { { ' hostname="localhost"', "" }, { 'T16:00:00"', 'T16:00:00Z"' }, { "<properties>.*</properties>", "" },
      { 'tests="%d+"', 'tests="many"' } } do
      local changed, n = text:gsub(change[1], change[2])
      assert.equal(1, n)
      assert.is_false(validated(changed), change[1])
    end
  end)

  check("has a case for the run, each threshold and each check, with the failures counted", function()
    local text = report.render(failed, "junit")
    assert.equal("7", xpath(text, "string(//testsuite/@tests)"))
    assert.equal("7", xpath(text, "count(//testcase)"))
    assert.equal("2", xpath(text, "string(//testsuite/@failures)"))
    assert.equal("2", xpath(text, "count(//failure)"))
    assert.equal("0", xpath(text, "count(//error)"))
    assert.equal("op_latency{scenario:writes} was 254 ms",
      xpath(text, 'string(//testcase[@name="op_latency{scenario:writes} p(99)<50ms"]/failure/@message)'))
    assert.equal("status is ok", xpath(text, 'string(//testcase[@classname="checks"][1]/@name)'))
    assert.equal("true", xpath(text, 'string(//property[@name="generator_late"]/@value)'))
    assert.equal("the generator was the limit: lateness p99 was 38 ms, 412 iterations were dropped",
      xpath(text, "string(//system-err)"))
  end)

  check("has the same names in every run, and the rates of checks in the output", function()
    local function names(document)
      local list = {}
      for name in report.render(document, "junit"):gmatch '<testcase name="([^"]*)"' do list[#list + 1] = name end
      return list
    end
    local other = fixture.document { rate = 200, seed = 12 }
    other.checks[1].passed, other.checks[1].failed = 5, 6
    assert.same(names(failed), names(other))
    assert.truthy(report.render(other, "junit"):find ": 5 of 11 passed")
  end)

  check("has no thresholds of a part, which are those of the whole", function()
    local _, parts = fixture.sharded { shards = 2, rate = 50, seconds = 2, slow = 150, kill = false }
    local text = report.render(parts[1], "junit")
    assert.is_true(validated(text))
    assert.same({ "0", "0" }, { xpath(text, 'count(//testcase[@classname="thresholds"])'), xpath(text, "string(//testsuite/@failures)") })
  end)

  check("has an error for a run that did not end, and a failure for one that failed without a threshold", function()
    local one = fixture.document { rate = 50, seconds = 2, kill = false }
    one.outcome, one.reason = "interrupted", "by SIGINT"
    local text = report.render(one, "junit")
    assert.equal("by SIGINT", xpath(text, 'string(//testcase[@classname="run"]/error/@message)'))
    assert.equal("1", xpath(text, "string(//testsuite/@errors)"))
    one.outcome, one.reason = "failed", "the generator was late (--strict)"
    text = report.render(one, "junit")
    assert.equal("the generator was late (--strict)", xpath(text, 'string(//testcase[@classname="run"]/failure/@message)'))
    assert.equal("1", xpath(text, "string(//testsuite/@failures)"))
  end)

  check("keeps names as they are, as far as XML can say them", function()
    local text = report.render(fixture.hostile_document(), "junit")
    assert.equal("<script>alert(1)</script>1", xpath(text, "string(//testsuite/@name)"))
  end)
end)
