--- Does it work at all? A little of everything, in a few seconds:
---   build/wingman run scripts/load/smoke.lua
---   WINGMAN_CLUSTER=topgun://3 build/wingman run scripts/load/smoke.lua
local load = require "wingman.load"

return load.test {
  name = "smoke",
  cluster = os.getenv "WINGMAN_CLUSTER" or "sim://3",
  scenarios = {
    writes = {
      executor = "constant-arrival-rate", rate = 100, duration = os.getenv "DURATION" or "5s", keys = { count = 100 },
      exec = function(vu)
        local map, key = vu:map "smoke", vu:key()
        local written = assert(map:set(key, { by = vu.id, n = vu.iteration }))
        vu:check("a write can be read at once", map:get(key).n == vu.iteration)
        vu:check("a write is acknowledged", vu:wait(written, nil, 5))
      end,
    },
  },
  thresholds = {
    checks = { "rate==1" },
    ops_unacknowledged = { "count==0" },
    op_latency = { "p(95)<1s" },
  },
}
