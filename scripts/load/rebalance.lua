--- Partitions move under load: a node leaves in good order and comes back, and the map
--- changes each time. Writes follow the owners; each is acknowledged.
local load = require "wingman.load"
local duration = require "wingman.base.duration"

local seconds = duration.check(os.getenv "DURATION" or "10s", "DURATION")

return load.test {
  name = "rebalance",
  cluster = os.getenv "WINGMAN_CLUSTER" or "sim://3",
  scenarios = {
    writes = {
      executor = "constant-arrival-rate", rate = assert(tonumber(os.getenv "RATE" or 1000), "RATE is no number"),
      duration = seconds, keys = { count = 5000 },
      exec = function(vu) vu:map "rebalance":set(vu:key(), { v = vu.iteration }) end,
    },
  },
  nemesis = {
    { at = seconds * 0.2, stop = "owner-of:key-1" }, { at = seconds * 0.4, restart = "last" },
    { at = seconds * 0.6, stop = "owner-of:key-2" }, { at = seconds * 0.8, restart = "last" },
  },
  drain = "60s",
  thresholds = {
    ops_unacknowledged = { "count==0" },
    map_versions = { "count>=4" }, -- it leaves and comes back, twice
    fallback_routes = { "count<100" }, -- what left while the map changed
  },
}
