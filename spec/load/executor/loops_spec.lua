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
end)
