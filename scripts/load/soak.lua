--- For hours: a steady, modest load. Memory and latency must not creep; the report's series
--- shows them over the whole time, however long.
---   DURATION=8h build/wingman run --out html=soak.html scripts/load/soak.lua
local load = require "wingman.load"

return load.test {
  name = "soak",
  cluster = os.getenv "WINGMAN_CLUSTER" or "sim://3",
  scenarios = {
    steady = {
      executor = "constant-arrival-rate", rate = assert(tonumber(os.getenv "RATE" or 500), "RATE is no number"),
      duration = os.getenv "DURATION" or "10s",
      keys = { count = 10000, distribution = "zipf" },
      exec = function(vu) vu:map "soak":set(vu:key(), { n = vu.iteration, text = vu:text(64) }) end,
    },
    checks = {
      executor = "constant-vus", vus = 1, duration = os.getenv "DURATION" or "10s",
      exec = function(vu)
        local key = "check-" .. vu.id
        local acknowledged = vu:wait(vu:map "soak":set(key, vu.iteration))
        vu:check("acknowledged", acknowledged)
        vu:sleep(0.5)
      end,
    },
  },
  thresholds = {
    checks = { "rate==1" },
    ops_unacknowledged = { "count==0" },
    rss_bytes = { "max<1000000000" },
    ["op_latency{scenario:steady}"] = { "p(99)<1s" },
  },
}
