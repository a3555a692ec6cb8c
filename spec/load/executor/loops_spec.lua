--- The closed models: how long users go on before the loop turns.
local load_run = require "spec.support.load_run"

describe("users of a closed model", function()
  after_each(load_run.clean)

  it("let what was written first leave soon when nothing is under way, and go on for longer then", function()
    -- Microseconds from the first to the last iteration that begins in a turn of the loop,
    -- by whether something was under way at its first.
    local _, code, out, err = load_run.run [[
      local load = require "wingman.load"
      local loop = require "wingman.loop"
      local native = require "wingman.load.native"
      local turn, began
      local longest = { idle = -1, busy = -1 }
      local kind
      local function write(vu)
        if loop.turns() ~= turn then
          turn, began = loop.turns(), vu.began_us
          kind = native.in_flight(native.client(vu.client.core)) == 0 and "idle" or "busy"
        end
        longest[kind] = math.max(longest[kind], vu.began_us - began)
        vu:map "m":set("k" .. vu.id .. "-" .. vu.iteration, 1)
      end
      return load.test {
        cluster = "sim://3",
        nemesis = { { at = 0, fault = "ack-delay", node = "all", args = { 1000 } } },
        scenarios = {
          writes = { executor = "shared-iterations", vus = 3, iterations = 30000, start_time = "300ms", exec = write },
        },
        teardown = function() print(("LONGEST %d %d"):format(longest.idle, longest.busy)) end,
      }]]
    assert.equal(0, code, out .. err)
    local idle, busy = out:match "LONGEST (%-?%d+) (%-?%d+)"
    idle, busy = tonumber(idle), tonumber(busy)
    assert.is_true(idle >= 0 and idle < 60, out)
    assert.is_true(busy > 60 and busy < 1000, out)
  end)

  it("share the turns of the loop when there are thousands that wait for the cluster", function()
    local load = require "wingman.load"
    local loop = require "wingman.loop"
    local run_module = require "wingman.load.run"
    local test = load.test {
      cluster = "sim://3",
      scenarios = {
        waiting = { executor = "constant-vus", vus = 3000, duration = "1s", keys = { count = 10000 },
                    exec = function(vu) assert(vu:wait(vu:map "m":set(vu:key(), vu.iteration))) end },
      },
    }
    local run = run_module.new(test.options, {})
    local executor, asked = run.scenarios[1].executor, 0
    local take = executor.take
    function executor.take(...)
      asked = asked + 1
      return take(...)
    end
    assert.is_true(loop.run(function() return run:execute() end))
    local iterations = run.scenarios[1].iterations
    run:close()
    assert.is_true(iterations >= 500)
    -- After an iteration, after the turn that it had to let pass, at the end.
    assert.is_true(asked <= 2 * iterations + 2 * 3000, ("asked %d times for %d iterations"):format(asked, iterations))
  end)
end)
