--- The ready-made scenarios of scripts/load run on the real server and pass their own thresholds.
local build = require "spec.support.build"
local load_run = require "spec.support.load_run"
local ready_made = require "spec.support.ready_made"
local topgun_binary = require "wingman.testbed.topgun.binary"

describe("the ready-made scenario", function()
  after_each(load_run.clean)

  for name in pairs(ready_made.seconds) do
    it(name .. " passes on the real server", function()
      if build.is_sanitized then return pending "the same code of ours again: scenarios_spec.lua" end
      if not topgun_binary.find() then return pending "the TopGun server is not installed" end
      local env = ready_made.environment(name)
      env.WINGMAN_CLUSTER = "topgun://3"
      ready_made.check(name, env)
    end)
  end
end)
