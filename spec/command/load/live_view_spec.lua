--- What a run shows: at a terminal, in a pipe, without colours, quietly.
local histogram = require "wingman.histogram"
local load_run = require "spec.support.load_run"
local live = require "wingman.command.load.live_view"
local process = require "wingman.loop.process"

local SCRIPT = load_run.script([[executor = "constant-arrival-rate", rate = 200, duration = "3s", keys = { count = 100 },
  exec = function(vu) vu:map "m":set(vu:key(), 1) end]], [[name = "shown", nemesis = { { at = "1200ms", kill = "node-2" }, { at = "2s", restart = "last" } },]])

-- Runs in a terminal of its own, by `script` of util-linux.
local function at_terminal(env)
  local path = load_run.file(SCRIPT, ".lua")
  env.TERM, env.COLUMNS, env.LANG = env.TERM or "xterm", "100", env.LANG or "C.UTF-8"
  env.LC_ALL = env.LANG
  local child = assert(process.spawn {
    file = "script", args = { "-qec", process.wingman_path() .. " run " .. path, "/dev/null" }, env = env, stderr = true,
  })
  local code, out = load_run.finish(child)
  assert.equal(0, code, out)
  return out
end

describe("the live view", function()
  after_each(load_run.clean)

  it("draws itself anew at a terminal, with nodes and faults", function()
    local out = at_terminal { NO_COLOR = "" }
    local _, drawn = out:gsub("\27%[%d+A\27%[J", "")
    assert.is_true(drawn >= 2, tostring(drawn))
    assert.truthy(out:find("shown  1s of 3s", 1, true), out) -- each second has its block, however late it is drawn
    assert.truthy(out:find("constant-arrival-rate", 1, true))
    assert.truthy(out:find("█", 1, true))
    for _, node in ipairs { "node-1", "node-2", "node-3" } do assert.truthy(out:find((node:gsub("%-", "%%-")) .. " +█")) end
    assert.truthy(out:find "%d%.%d s  kill node%-2", out)
    assert.truthy(out:find("\27[1m", 1, true))
    -- What stays in the end is the summary, below nothing half drawn.
    local last = out:match(".*\27%[%d+A\27%[J(.*)$")
    assert.truthy(last:find("PASSED", 1, true))
    assert.is_nil(last:find("in the log", 1, true))
  end)

  it("has no colours with NO_COLOR, and plain letters without UTF-8", function()
    local out = at_terminal { NO_COLOR = "1", LANG = "C" }
    assert.is_nil(out:find "\27%[%d+m")
    assert.truthy(out:find("#", 1, true))
    assert.is_nil(out:find("█", 1, true))
  end)

  it("is plain lines in a pipe and on a dumb terminal, and the verdict alone when quiet", function()
    local code, out = load_run.finish(load_run.start(SCRIPT))
    assert.equal(0, code)
    assert.is_nil(out:find("\27", 1, true))
    assert.truthy(out:find("1.0 s  ", 1, true))
    assert.truthy(out:find("kill node-2", 1, true))
    assert.is_nil(at_terminal({ TERM = "dumb" }):find("\27", 1, true))
    local quiet_code, quiet = load_run.finish(load_run.start(SCRIPT, { "--quiet" }))
    assert.equal(0, quiet_code)
    assert.truthy(quiet:find "^PASSED  [^\n]+\n$", quiet)
  end)

  it("has lines for reads and queries once there were some", function()
    local written = {}
    local view = live.new({ colour = false, width = 100 }, function(text) written[#written + 1] = text end)
    local function lines(reads, queries)
      local point = { t_s = 0, counters = { ops_acked = 5, reads = reads, queries = queries, errors = 0 }, lateness_max_s = 0, nodes = {},
        gauges = { in_flight = 0, log_depth = 0, vus = 1, cpu = 0 } }
      for _, name in ipairs { "latency", "read_latency", "query_latency" } do point[name] = histogram.new(1e6, 2) end
      point.read_latency:record_n(2000, reads)
      view:show({ options = { name = "n" }, scenarios = {} }, point, 10)
      local kinds = {}
      for line in written[#written]:gmatch "[^\n]+" do kinds[#kinds + 1] = line:match "^  [%d,]+ (%a+/s   p50 [^ ]+)" end
      return kinds
    end
    assert.same({ "acknowledged/s   p50 0" }, lines(0, 0))
    assert.same({ "acknowledged/s   p50 0", "reads/s   p50 2.0" }, lines(7, 0))
    assert.same({ "acknowledged/s   p50 0", "reads/s   p50 0", "queries/s   p50 0" }, lines(0, 1))
  end)

  it("cuts lines to the width, whatever the bytes", function()
    local written = {}
    local view = live.new({ colour = false, width = 11 }, function(text) written[#written + 1] = text end)
    view:draw { { text = "ääääääääääääääää" }, { text = "short" } }
    assert.equal(("ä"):rep(10) .. "\nshort\n", written[1])
    view:say "stays"
    assert.equal("\27[2A\27[J", written[2])
    assert.equal("stays\n", written[3])
    assert.equal(written[1], written[4])
    view:close()
    assert.equal("\27[2A\27[J", written[5])
  end)
end)
