--- Wingman as a load generator, for scripts/bench/load.lua: a process of its own, as the
--- generators that it is compared with are. One JSON object with url, token, batch,
--- operations and in_flight on standard input; one line of JSON with the result.
local cjson = require "cjson"
local core = require "wingman.core"
local load = require "wingman.load"
local loop = require "wingman.loop"
local run_module = require "wingman.load.run"

local given = cjson.decode(io.read "*a")
local value = {} -- map:set encodes it at once, so it can be filled again

local function write(vu)
  value.v = vu.iteration
  assert(vu:map "bench":set(vu:key(), value))
end

local function acked(run)
  for _, metric in ipairs(run.registry.list) do
    if metric.name == "ops_acked" and next(metric.tags) == nil then return metric.count end
  end
end

return loop.run(function()
  local test = load.test {
    server = given.url, auth = { token = given.token },
    client = { batch = { ops = given.batch, in_flight = given.in_flight }, oplog = { max_ops = given.in_flight * given.batch } },
    scenarios = {
      writes = {
        executor = "shared-iterations", iterations = given.operations, keys = { count = 10000, distribution = "sequential" },
        exec = write,
      },
    },
  }
  local run = run_module.new(test.options, {})
  local began, used
  run.listener.ready = function() began, used = loop.now(), core.cpu_seconds() end
  assert(run:execute(), run.reason)
  io.write(cjson.encode {
    seconds = loop.now() - began, cpu_seconds = core.cpu_seconds() - used, acked = acked(run), unacknowledged = run.ops_unacknowledged,
  }, "\n")
  run:close()
  return 0
end)
