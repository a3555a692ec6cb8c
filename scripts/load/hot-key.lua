--- One key that everybody writes, among keys that few do: a v2 cluster is sent one batch of a
--- key at a time, so what waits behind it tells how deep that cuts. The others
--- must not suffer for it.
local load = require "wingman.load"

return load.test {
  name = "hot-key",
  cluster = os.getenv "WINGMAN_CLUSTER" or "sim://3",
  scenarios = {
    hot = {
      executor = "constant-arrival-rate", rate = assert(tonumber(os.getenv "RATE" or 2000), "RATE is no number"),
      duration = os.getenv "DURATION" or "10s",
      exec = function(vu) vu:map "hot":set("the-one", { n = vu.iteration }) end,
    },
    others = {
      executor = "constant-arrival-rate", rate = 500, duration = os.getenv "DURATION" or "10s", keys = { count = 10000 },
      exec = function(vu) vu:map "hot":set(vu:key(), { n = vu.iteration }) end,
    },
  },
  thresholds = {
    ops_unacknowledged = { "count==0" },
    ["op_latency{scenario:others}"] = { "p(99)<1s" },
    ["op_latency{scenario:hot}"] = { "p(99)<5s" },
  },
}
