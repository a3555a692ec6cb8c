--- A node dies under load and comes back. Every write has to be acknowledged in the end, and
--- the new owner has to answer soon. Needs a cluster that the test has started
--- (sim://, topgun://); for another one use `run` steps with commands of its own.
local load = require "wingman.load"
local duration = require "wingman.base.duration"

local seconds = duration.check(os.getenv "DURATION" or "10s", "DURATION")

return load.test {
  name = "failover",
  cluster = os.getenv "WINGMAN_CLUSTER" or "sim://3",
  scenarios = {
    writes = {
      executor = "constant-arrival-rate", rate = assert(tonumber(os.getenv "RATE" or 1000), "RATE is no number"),
      duration = seconds, keys = { count = 5000 },
      exec = function(vu) vu:map "failover":set(vu:key(), { v = vu.iteration }) end,
    },
  },
  nemesis = {
    { at = seconds * 0.3, kill = "owner-of:key-1" },
    { at = seconds * 0.6, restart = "last" },
  },
  drain = "60s",
  thresholds = {
    ops_unacknowledged = { "count==0" },
    failover_time = { "count>=1" },
    errors = { "count<1000" },
  },
}
