--- Files for schedulers, in scripts/load.
local load_run = require "spec.support.load_run"
local process = require "wingman.loop.process"
local ready_made = require "spec.support.ready_made"
local report = require "wingman.report"

local metric = load_run.metric

describe("the job files", function()
  after_each(load_run.clean)

  it("run a shard as their scheduler would", function()
    local script = load_run.file(load_run.script [[executor = "shared-iterations", iterations = 10, exec = function() end]])
    local place = load_run.file "" .. ".d"
    os.execute("mkdir " .. place)
    local executable = process.wingman_path()
    if not executable:match "^/" then executable = os.getenv "PWD" .. "/" .. executable end
    local child = assert(process.spawn {
      file = "/bin/sh", args = { os.getenv "PWD" .. "/" .. ready_made.folder .. "slurm.sh", "--quiet", script }, stderr = true, cwd = place,
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
    local text = io.open(ready_made.folder .. "kubernetes-job.yaml"):read "*a"
    local completions, parallelism = text:match "completions: (%d+)", text:match "parallelism: (%d+)"
    local shards = text:match 'WINGMAN_SHARDS\n%s+value: "(%d+)"'
    assert.truthy(completions)
    assert.same({ completions, completions }, { parallelism, shards })
    local args = text:match "command: %[([^%]]+)%]"
    local words, start_at = {}, os.time() + 60
    for word in args:gmatch '"([^"]*)"' do words[#words + 1] = (word:gsub("%${START}", start_at)) end
    local rules = require("wingman.command.load").RULES
    local parsed = assert(require("wingman.options.arguments").read(rules, { unpack(words, 3) }, { only_in_front = true }))
    assert.same({ "json=-" }, parsed.out)
    assert.equal(start_at, parsed.start_at)
  end)
end)
