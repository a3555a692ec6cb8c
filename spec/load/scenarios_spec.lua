--- The ready-made scenarios of scripts/load: each runs on the simulated cluster and on the
--- real server, and passes its own thresholds.
local build = require "spec.support.build"
local histogram = require "wingman.histogram"
local load_run = require "spec.support.load_run"
local process = require "wingman.loop.process"
local report = require "wingman.report"
local topgun_binary = require "wingman.testbed.topgun.binary"

local metric = load_run.metric

-- Seconds that each runs; faults need some for a failover.
local scenarios = {
  smoke = 1, throughput = 2, ["write-heavy"] = 1, ["read-heavy"] = 1, mixed = 1, ["connection-storm"] = 1, soak = 1,
  failover = 3, rebalance = 3, ["hot-key"] = 1, ["large-values"] = 1,
}

local directory = debug.getinfo(1, "S").source:match "^@(.*)spec/load/[^/]*$" .. "scripts/load/"

local function run(name, env)
  local out = load_run.file ""
  local child = assert(process.spawn {
    file = process.wingman_path(), args = { "run", "--quiet", "--out", "json=" .. out, directory .. name .. ".lua" }, env = env, stderr = true,
  })
  local code, text, err = load_run.finish(child)
  return report.read(out), code, text .. err
end

local function failures(document)
  local lines = {}
  for _, one in ipairs(document and document.thresholds or {}) do
    if not one.passed then lines[#lines + 1] = ("%s %s: %s"):format(one.metric, one.expression, tostring(one.value)) end
  end
  return table.concat(lines, "; ")
end

local function check(name, env)
  local document, code, text = run(name, env)
  assert.equal(0, code, name .. ": " .. failures(document) .. " " .. text)
  assert.equal("passed", document.outcome)
  assert.is_true(metric(document, "iterations").count > 0)
  assert.is_true(#document.thresholds >= 2)
  return document
end

describe("the ready-made scenario", function()
  after_each(load_run.clean)

  for name, seconds in pairs(scenarios) do
    local env = { DURATION = seconds .. "s", RATE = name == "throughput" and "5000" or nil, VUS = "60" }

    it(name .. " passes on the simulated cluster", function() check(name, env) end)

    if not build.is_sanitized then -- the same code of ours again
      it(name .. " passes on the real server", function()
        if not topgun_binary.find() then return pending "the TopGun server is not installed" end
        env.WINGMAN_CLUSTER = "topgun://3"
        check(name, env)
      end)
    end
  end

  it("coordinated-omission shows in the open model what the closed one hides", function()
    local document = check("coordinated-omission", {})
    local open, closed = metric(document, "op_latency", { scenario = "open" }), metric(document, "op_latency", { scenario = "closed" })
    assert.equal(800, open.count)
    local stall = document.faults[2].at_s - document.faults[1].at_s
    assert.is_true(open.max > 0.9 * stall and closed.max > 0.9 * stall, ("%g and %g of %g s"):format(open.max, closed.max, stall))
    -- Of the closed model's samples the one that met the stall is long, of the open one's each that came meanwhile.
    local function long(metric_of) return metric_of.count - histogram.import(metric_of.histogram):count_to(math.floor(stall * 5e5)) end
    assert.is_true(long(closed) <= 3 and long(open) > 50, ("%d of %d, %d of %d"):format(long(closed), closed.count, long(open), open.count))
  end)

  it("mixed has the six workloads of YCSB", function()
    for _, workload in ipairs { "B", "C", "D", "E", "F" } do
      local document = check("mixed", { DURATION = "500ms", WORKLOAD = workload })
      local recorded = metric(document, "ops_recorded").count
      if workload == "C" then assert.equal(0, recorded) else assert.is_true(recorded > 0, workload) end
    end
  end)

  it("connection-storm gives every user a connection of its own", function()
    local document = check("connection-storm", { DURATION = "1s", VUS = "40" })
    -- the shared client's three, and one for each iteration
    assert.equal(metric(document, "iterations").count + 3, metric(document, "auth_time").count)
    assert.equal(metric(document, "auth_time").count, metric(document, "connect_time").count)
    assert.equal(metric(document, "iterations").count, metric(document, "first_answer").count)
  end)
end)

describe("the job files", function()
  after_each(load_run.clean)

  it("run a shard as their scheduler would", function()
    local script = load_run.file(load_run.script [[executor = "shared-iterations", iterations = 10, exec = function() end]])
    local place = load_run.file "" .. ".d"
    os.execute("mkdir " .. place)
    local executable = process.wingman_path()
    if not executable:match "^/" then executable = os.getenv "PWD" .. "/" .. executable end
    local child = assert(process.spawn {
      file = "/bin/sh", args = { os.getenv "PWD" .. "/" .. directory .. "slurm.sh", "--quiet", script }, stderr = true, cwd = place,
      env = { START = tostring(os.time()), SLURM_ARRAY_TASK_ID = "2", SLURM_ARRAY_TASK_MIN = "0", SLURM_ARRAY_TASK_COUNT = "8",
        WINGMAN_EXECUTABLE = executable, PATH = executable:match "^(.*)/[^/]*$" .. ":" .. os.getenv "PATH" },
    })
    local code, text, err = load_run.finish(child)
    assert.equal(0, code, text .. err)
    local document = assert(report.read(place .. "/run-2.json"))
    os.execute("rm -r " .. place)
    assert.same({ 2, 8 }, { document.shards[1].index, document.shards[1].count })
    assert.equal(1, metric(document, "iterations").count)
  end)

  it("of Kubernetes says the same number three times", function()
    local text = io.open(directory .. "kubernetes-job.yaml"):read "*a"
    local completions, parallelism = text:match "completions: (%d+)", text:match "parallelism: (%d+)"
    local shards = text:match 'WINGMAN_SHARDS\n%s+value: "(%d+)"'
    assert.truthy(completions)
    assert.same({ completions, completions }, { parallelism, shards })
    local args = text:match "command: %[([^%]]+)%]"
    local words = {}
    for word in args:gmatch '"([^"]*)"' do words[#words + 1] = (word:gsub("%${START}", "1800000000")) end
    local parsed = assert(require("wingman.command.load").parse { unpack(words, 3) })
    assert.same({ "json=-" }, parsed.out)
    assert.equal(1800000000, parsed.start_at)
  end)
end)
