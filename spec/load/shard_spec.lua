--- Shards of a run: how a process finds its own, and that together they are the whole.
local load_run = require "spec.support.load_run"
local report = require "wingman.report"
local shard = require "wingman.load.shard"

local metric = load_run.metric

local function found(env) return shard.find(function(name) return env[name] end) end

describe("a shard", function()
  it("is found in the environment of schedulers", function()
    assert.is_nil(found {})
    for _, case in ipairs {
      { { OMPI_COMM_WORLD_RANK = "2", OMPI_COMM_WORLD_SIZE = "4" }, 2, 4 },
      { { PMI_RANK = "0", PMI_SIZE = "3" }, 0, 3 },
      { { SLURM_ARRAY_TASK_ID = "7", SLURM_ARRAY_TASK_MIN = "5", SLURM_ARRAY_TASK_COUNT = "4", SLURM_ARRAY_TASK_STEP = "1" }, 2, 4 },
      { { SLURM_ARRAY_TASK_ID = "9", SLURM_ARRAY_TASK_MIN = "1", SLURM_ARRAY_TASK_COUNT = "5", SLURM_ARRAY_TASK_STEP = "4" }, 2, 5 },
      { { SLURM_PROCID = "1", SLURM_STEP_NUM_TASKS = "8" }, 1, 8 },
      { { JOB_COMPLETION_INDEX = "3", WINGMAN_SHARDS = "10" }, 3, 10 },
      -- a rank within a task of an array is a rank
      { { OMPI_COMM_WORLD_RANK = "1", OMPI_COMM_WORLD_SIZE = "2", SLURM_ARRAY_TASK_ID = "0", SLURM_ARRAY_TASK_COUNT = "9" }, 1, 2 },
    } do
      local one = assert(found(case[1]))
      assert.same({ case[2], case[3] }, { one.index, one.count })
    end
    assert.is_nil(found { SLURM_PROCID = "0", SLURM_STEP_NUM_TASKS = "1" }) -- a lone batch script
  end)

  it("is one of several that end together when it is a rank of MPI", function()
    assert.is_true(shard.is_rank(function(name) return name == "OMPI_COMM_WORLD_RANK" and "0" or nil end))
    assert.is_false(shard.is_rank(function() end))
  end)

  it("that is given by halves is an error that says what to do", function()
    local one, err = found { JOB_COMPLETION_INDEX = "3" }
    assert.is_nil(one)
    assert.truthy(err:find("WINGMAN_SHARDS", 1, true))
    one, err = found { OMPI_COMM_WORLD_RANK = "4", OMPI_COMM_WORLD_SIZE = "4" }
    assert.is_nil(one)
    assert.truthy(err:find("4 of 4", 1, true))
    one = found { PMI_RANK = "x", PMI_SIZE = "2" }
    assert.is_nil(one)
  end)
end)

describe("the shards of a run", function()
  after_each(load_run.clean)

  it("split arrivals, iterations, users, keys and numbers of users exactly", function()
    local COUNT = 3
    local script = [[
      local load = require "wingman.load"
      local out, keys = {}, {}
      return load.test {
        cluster = "sim://1",
        scenarios = {
          open = { executor = "constant-arrival-rate", rate = 100, duration = "1s", keys = { count = 100, distribution = "sequential" },
                   exec = function(vu) keys[#keys + 1] = vu:key() end },
          shared = { executor = "shared-iterations", iterations = 100, vus = 2, exec = function() end },
          each = { executor = "per-vu-iterations", iterations = 5, vus = 7,
                   exec = function(vu) out[#out + 1] = tostring(vu.id) end },
        },
        teardown = function() print("KEYS " .. table.concat(keys, " ")) print("IDS " .. table.concat(out, " ")) end,
      }]]
    local sums, keys, ids = {}, {}, {}
    for index = 0, COUNT - 1 do
      local document, code, out, err = load_run.run(script, { "--shard", index .. "/" .. COUNT })
      assert.equal(0, code, out .. err)
      assert.same({ index, COUNT }, { document.shards[1].index, document.shards[1].count })
      for _, name in ipairs { "open", "shared", "each" } do
        sums[name] = (sums[name] or 0) + metric(document, "iterations", { scenario = name }).count
      end
      for key in out:match("KEYS ([^\n]*)"):gmatch "%S+" do
        assert.is_nil(keys[key], key)
        keys[key], keys[#keys + 1] = true, key
      end
      for id in out:match("IDS ([^\n]*)"):gmatch "%S+" do
        assert.is_true(ids[id] == nil or ids[id] == index, "user " .. id)
        ids[id] = index
      end
    end
    assert.same({ open = 100, shared = 100, each = 35 }, sums)
    assert.equal(100, #keys)
  end)

  it("begin together at --start-at", function()
    local core = require "wingman.core"
    -- A task that sleeps as long says when it woke up: of two that are due at one time the
    -- machine makes both late.
    local document, code, out, err, at
    at = math.floor(core.wall_ms() / 1000) + 4
    document, code, out, err = load_run.run(load_run.script([[executor = "shared-iterations", iterations = 1, exec = function() end]], ([[
      setup = function()
        local core, loop = require "wingman.core", require "wingman.loop"
        woken = loop.spawn(function()
          loop.sleep(%d - core.wall_ms() / 1000)
          return core.wall_ms() / 1000
        end)
      end,
      teardown = function() print(("WOKE %%.3f"):format(assert(woken:wait(60)))) end]]):format(at)), { "--start-at", tostring(at) })
    assert.equal(0, code, out .. err)
    local late, woke = document.started_at - at, tonumber(out:match "WOKE (%S+)") - at
    assert.is_true(late >= 0 and math.abs(late - woke) < 1, ("it began %f s after the time, and a task that slept until then woke up %f s after it")
      :format(late, woke))
  end)

  it("do not judge: a shard that ran whole ends with 0, and one that a threshold ended with 99", function()
    local function test(threshold, seconds)
      return ([[
        local load = require "wingman.load"
        return load.test { cluster = "sim://1",
          scenarios = { a = { executor = "constant-arrival-rate", rate = 100, duration = %q, exec = function() end } },
          thresholds = { iterations = %s } }]]):format(seconds, threshold)
    end
    for _, options in ipairs { { "--shard", "0/2" }, { "--shard", "1/2", "--workers", "2" } } do
      local document, code, out, err = load_run.run(test('"count>1000"', "200ms"), options)
      assert.equal(0, code, out .. err)
      assert.equal("passed", document.outcome)
      assert.is_false(document.thresholds[1].passed)
      assert.equal(10, document.thresholds[1].value)
      assert.matches("PART  10 iterations", out)
      document, code, out, err = load_run.run(test('{ { "count<10", abort = true } }', "50s"), options)
      assert.equal(99, code, out .. err)
      assert.equal("aborted", document.outcome)
      assert.is_true(document.thresholds[1].aborted)
    end
    -- With all shards in one there is nobody else to judge.
    assert.equal(99, (select(2, load_run.run(test('"count>1000"', "200ms"), { "--shard", "0/1" }))))
  end)

  it("leave their reports under mpirun, though the first ends before the last and is aborted", function()
    if os.execute "command -v mpirun >/dev/null 2>&1" ~= 0 then return pending "there is no mpirun (Debian: openmpi-bin)" end
    local process = require "wingman.loop.process"
    local out = load_run.file ""
    -- The second rank is at work until the first one's report is there, and then for some
    -- time in which MPI would end it.
    local script = load_run.file(([[
      local load = require "wingman.load"
      local rank = tonumber(os.getenv "OMPI_COMM_WORLD_RANK")
      return load.test {
        cluster = "sim://1",
        scenarios = { a = { executor = "per-vu-iterations", vus = 2, iterations = 1, exec = function(vu)
          if rank == 1 then
            while not io.open(%q) do vu:sleep(0.01) end
            vu:sleep(1)
          else
            vu:sleep(100)
          end
        end, graceful_stop = 0 } },
        thresholds = { iterations = { "count==2" }, vus = rank == 0 and { { "max<1", abort = true } } or { "max<1" } },
      }]]):format(out .. ".0"))
    local child = assert(process.spawn { file = "mpirun", stderr = true,
      args = { "--allow-run-as-root", "--oversubscribe", "-n", "2", process.wingman_path(), "run", "--quiet", "--out", "json=" .. out .. ".{shard}",
        script } })
    local code, text, err = load_run.finish(child)
    assert.equal(0, code, text .. err)
    assert.matches("shard 0 of 2 would end with 99, and ends with 0", err)
    local merge = assert(process.spawn { file = process.wingman_path(), stderr = true, args = { "report", "merge", out .. ".0", out .. ".1" } })
    code, text, err = load_run.finish(merge)
    local outcomes = {}
    for index = 0, 1 do
      outcomes[index + 1] = assert(report.read(out .. "." .. index)).outcome
      os.remove(out .. "." .. index)
    end
    assert.same({ "aborted", "passed" }, outcomes)
    assert.equal(99, code, text .. err)
  end)

  it("do not end each other under mpirun when one cannot connect; its report is missed by merge", function()
    if os.execute "command -v mpirun >/dev/null 2>&1" ~= 0 then return pending "there is no mpirun (Debian: openmpi-bin)" end
    local process = require "wingman.loop.process"
    local out = load_run.file ""
    local script = load_run.file [[
      local load = require "wingman.load"
      local rank = os.getenv "OMPI_COMM_WORLD_RANK"
      return load.test {
        cluster = rank == "0" and { seeds = { "ws://127.0.0.1:1" } } or "sim://1", client = rank == "0" and { start_timeout = 0.2 } or nil,
        scenarios = { a = { executor = "per-vu-iterations", vus = 2, iterations = 1, exec = function(vu) vu:sleep(2) end } },
      }]]
    local child = assert(process.spawn { file = "mpirun", stderr = true,
      args = { "--allow-run-as-root", "--oversubscribe", "-n", "2", process.wingman_path(), "run", "--quiet", "--out", "json=" .. out .. ".{shard}",
        script } })
    local code, text, err = load_run.finish(child)
    assert.equal(0, code, text .. err)
    assert.matches("shard 0 of 2 would end with 3, and ends with 0", err)
    local merge = assert(process.spawn { file = process.wingman_path(), stderr = true, args = { "report", "merge", out .. ".1" } })
    code, text, err = load_run.finish(merge)
    os.remove(out .. ".1")
    assert.equal(96, code, text .. err)
  end)

  it("find their place as ranks of mpirun", function()
    if os.execute "command -v mpirun >/dev/null 2>&1" ~= 0 then return pending "there is no mpirun (Debian: openmpi-bin)" end
    local process = require "wingman.loop.process"
    local sim = require "wingman.sim"
    local cluster = assert(sim.start { nodes = 3 })
    finally(function() cluster:stop() end)
    local script = load_run.file(([[
      local load = require "wingman.load"
      return load.test {
        cluster = { seeds = { %q, %q, %q } }, auth = { token = %q },
        scenarios = { writes = { executor = "constant-arrival-rate", rate = 401, duration = "1s",
                                 exec = function(vu) vu:map "m":set("k" .. vu.id, vu.iteration) end } },
        thresholds = { ops_unacknowledged = "count==0" },
      }]]):format(cluster.urls[1], cluster.urls[2], cluster.urls[3], cluster.token))
    local out = load_run.file ""
    local child = assert(process.spawn {
      file = "mpirun", stderr = true,
      args = { "--allow-run-as-root", "--oversubscribe", "-n", "4", process.wingman_path(), "run", "--quiet", "--start-at", "+1",
        "--out", "json=" .. out .. ".{shard}", script },
    })
    local code, text, err = load_run.finish(child)
    assert.equal(0, code, text .. err)
    local acked, recorded, planned = 0, 0, {}
    for index = 0, 3 do
      local path = out .. "." .. index
      local document = assert(report.read(path))
      assert.same({ index, 4 }, { document.shards[1].index, document.shards[1].count })
      planned[index + 1] = metric(document, "iterations").count
      acked, recorded = acked + metric(document, "ops_acked").count, recorded + metric(document, "ops_recorded").count
    end
    assert.same({ 101, 100, 100, 100 }, planned)
    local merged_path = out .. ".merged"
    local merge = assert(process.spawn { file = process.wingman_path(), stderr = true,
      args = { "report", "merge", "--out", "json=" .. merged_path, out .. ".0", out .. ".1", out .. ".2", out .. ".3" } })
    code, text, err = load_run.finish(merge)
    for index = 0, 3 do os.remove(out .. "." .. index) end
    assert.equal(0, code, text .. err)
    local merged = assert(report.read(merged_path))
    os.remove(merged_path)
    for _, name in ipairs { "iterations", "ops_recorded", "ops_acked", "op_latency" } do
      assert.equal(401, metric(merged, name).count, name)
    end
    assert.equal(401, recorded)
    assert.equal(401, acked)
    local received = 0
    for _, node in pairs(assert(cluster:stats())) do received = received + node.ops end
    assert.equal(401, received)
  end)
end)
