--- The ready-made scenarios of scripts/load run on the simulated cluster and pass their own thresholds.
local load_run = require "spec.support.load_run"
local ready_made = require "spec.support.ready_made"

describe("the ready-made scenario", function()
  after_each(load_run.clean)

  for name in pairs(ready_made.seconds) do
    it(name .. " passes on the simulated cluster", function() ready_made.check(name, ready_made.environment(name)) end)
  end
end)
