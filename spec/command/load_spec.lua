--- What the command line of a load test does besides running it: signals, workers, places.
local load_run = require "spec.support.load_run"
local process = require "wingman.loop.process"
local report = require "wingman.report"

-- Users that do nothing until the run is ended from outside; "READY" is printed by the first of them.
local ENDLESS = [[executor = "constant-vus", vus = 1, duration = "1h",
  exec = function(vu) if vu.iteration <= 1 then print "READY" io.flush() end vu:sleep(0.01) end]]
local TEARDOWN = [[setup = function() return { stock = 7 } end,
  teardown = function(hand) print("TEARDOWN " .. hand.data.stock) io.flush() end,]]

-- Reads lines until one of them is `wanted`.
local function await_line(child, wanted)
  local seen = {}
  while true do
    local line, err = child:read_line(60)
    if not line then error(("no line '%s', but %s\n%s"):format(wanted, tostring(err), table.concat(seen, "\n"))) end
    if line == wanted then return end
    seen[#seen + 1] = line
  end
end

local function start(text, options, env)
  local out = load_run.file ""
  local all = { "--out", "json=" .. out, unpack(options or {}) }
  local child = load_run.start(text, all, env)
  return child, function()
    local code, rest, err = load_run.finish(child)
    return report.read(out), code, rest, err
  end
end

-- A script in a folder of its own, with other files beside it.
local function in_folder(files)
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir " .. folder) == 0)
  for name, text in pairs(files) do
    local file = assert(io.open(folder .. "/" .. name, "w"))
    file:write(text)
    file:close()
  end
  return folder, function() os.execute("rm -r " .. folder) end
end

local function run_file(path, options)
  local args = { "run", unpack(options or {}) }
  args[#args + 1] = path
  local child = assert(process.spawn { file = process.wingman_path(), args = args, stderr = true })
  return load_run.finish(child)
end

describe("a load test that a signal ends", function()
  after_each(load_run.clean)

  for signal, expected in pairs { SIGINT = 130, SIGTERM = 143, SIGHUP = 129 } do
    for _, workers in ipairs { "1", "2" } do
      it(("tears down and writes its report, by %s with --workers %s"):format(signal, workers), function()
        local child, finish = start(load_run.script(ENDLESS, TEARDOWN), { "--workers", workers })
        await_line(child, "READY")
        assert(child:kill(signal))
        local document, code, out, err = finish()
        assert.equal(expected, code, out .. err)
        assert.truthy(out:find("TEARDOWN 7", 1, true), out .. err)
        assert.equal("interrupted", document and document.outcome, out .. err)
        assert.truthy(document.reason:find(signal, 1, true), document.reason)
      end)
    end
  end

  it("ends as interrupted while it connects", function()
    local text = ([[
      local load = require "wingman.load"
      require("wingman.loop").spawn(function() print "CONNECTING" io.flush() end)
      return load.test { cluster = "ws://127.0.0.1:9", client = { start_timeout = 600 }, scenarios = { main = { %s } } }]]):format(ENDLESS)
    local child, finish = start(text)
    await_line(child, "CONNECTING")
    assert(child:kill "SIGINT")
    local _, code, out, err = finish()
    assert.equal(130, code, out .. err)
    assert.truthy(err:find("interrupted by SIGINT", 1, true), err)
    assert.falsy(err:find("CLOSED", 1, true), err)
  end)
end)

describe("ctl stop", function()
  after_each(load_run.clean)

  local function stopped(fields)
    local path = load_run.file ""
    os.remove(path)
    local child, finish = start(load_run.script(ENDLESS, fields), { "--control", path })
    await_line(child, "READY")
    local order = assert(process.spawn { file = process.wingman_path(), args = { "ctl", path, "stop" }, stderr = true })
    assert.equal(0, (load_run.finish(order)))
    return finish()
  end

  it("does not hide a threshold that failed", function()
    local document, code, out, err = stopped [[thresholds = { iteration_duration = "max<1us" },]]
    assert.equal(99, code, out .. err)
    assert.equal("failed", document.outcome)
  end)

  it("is an interruption where all thresholds hold", function()
    local document, code, out, err = stopped [[thresholds = { iterations = "count>0" },]]
    assert.equal(130, code, out .. err)
    assert.equal("interrupted", document.outcome)
    assert.equal("stopped by an order", document.reason)
  end)
end)

describe("--workers", function()
  after_each(load_run.clean)

  it("gives the script's arguments to each worker", function()
    local folder, remove = in_folder { ["test.lua"] = [[
      local load = require "wingman.load"
      local count = tonumber(arg[1]) + tonumber((select(2, ...)))
      return load.test { cluster = "sim://1", thresholds = { iterations = "count==12" },
        scenarios = { main = { executor = "shared-iterations", iterations = count, vus = 2, exec = function() end } } }]] }
    for _, workers in ipairs { "1", "2" } do
      local child = assert(process.spawn { file = process.wingman_path(), stderr = true,
        args = { "run", "--workers", workers, folder .. "/test.lua", "5", "7" } })
      local code, out, err = load_run.finish(child)
      assert.equal(0, code, out .. err)
    end
    remove()
  end)

  it("names what set-up returned and no worker can be given", function()
    local text = load_run.script(ENDLESS, [[setup = function() return { list = { 1, { print = print } } } end,
      teardown = function() print "TEARDOWN" end]])
    local _, code, out, err = load_run.run(text, { "--workers", "2" })
    assert.equal(1, code, out .. err)
    assert.truthy(err:find("data.list[2].print is a function", 1, true), err)
    assert.truthy(out:find("TEARDOWN", 1, true), out)
  end)
end)

describe("--quiet", function()
  after_each(load_run.clean)

  local text = load_run.script([[executor = "shared-iterations", iterations = 3, exec = function(vu) vu:check("even", vu.iteration % 2 == 0) end]],
    [[thresholds = { checks = "rate>0.9" }]])

  it("prints the verdict only", function()
    local _, code, out, err = load_run.run(text, { "--quiet" })
    assert.equal(99, code)
    assert.equal("", err)
    local _, lines = out:gsub("\n", "")
    assert.equal(1, lines, out)
    assert.truthy(out:find "^FAILED  ", out)
  end)

  it("leaves standard output to a report that is written there", function()
    local _, _, out, err = load_run.run(text, { "--quiet", "--out", "json=-" })
    assert.equal("{", out:sub(1, 1), out)
    assert.truthy(err:find "^FAILED  ", err)
  end)
end)

describe("a script", function()
  it("finds modules and data beside itself, with workers, too", function()
    local folder, remove = in_folder {
      ["helper.lua"] = "return { name = 'beside' }",
      ["people.csv"] = "name\nann\nbob\n",
      ["test.lua"] = [[
        local load, helper = require "wingman.load", require "helper"
        local people = load.data "people.csv"
        return load.test { name = helper.name, cluster = "sim://1", thresholds = { checks = "rate==1" },
          scenarios = { main = { executor = "shared-iterations", iterations = 4, vus = 2,
            exec = function(vu) vu:check("row", people:next().name ~= nil) end } } }]],
    }
    for _, workers in ipairs { "1", "2" } do
      local code, out, err = run_file(folder .. "/test.lua", { "--workers", workers })
      assert.equal(0, code, out .. err)
      assert.truthy(out:find("beside", 1, true), out)
    end
    remove()
  end)

  it("of those that come with Wingman follows WINGMAN_CLUSTER", function()
    local root = debug.getinfo(1, "S").source:match "^@(.*)spec/command/[^/]*$" .. "scripts/"
    local listed = io.popen("ls " .. root .. "load/*.lua")
    local scripts = { root .. "quickstart.lua", root .. "soak.lua", root .. "bench/failover.lua" }
    for path in listed:lines() do scripts[#scripts + 1] = path end
    listed:close()
    assert.is_true(#scripts > 10)
    for _, path in ipairs(scripts) do
      local child = assert(process.spawn { file = process.wingman_path(), args = { "run", path }, stderr = true,
        env = { WINGMAN_CLUSTER = "sim://0", ASAN_OPTIONS = "detect_leaks=0" } })
      local code, out, err = load_run.finish(child)
      assert.not_equal(0, code, path .. out)
      assert.truthy(err:find("a whole number from 1 to 64", 1, true), path .. ": " .. err)
    end
  end)

  it("that is a URL is taken for what was meant", function()
    local code, _, err = run_file "ws://127.0.0.1:9000"
    assert.equal(2, code)
    assert.truthy(err:find("wingman bench URL", 1, true), err)
  end)
end)
