--- Writes of records as games make them: many small ones, now and then a large one, on keys
--- of which few are much more frequent than the others.
local load = require "wingman.load"

local size = load.sizes.lognormal(120, 0.8)
local record = load.template { player = "${vu}", x = "${int:0..4000}", y = "${int:0..4000}", weapon = "${choice:axe|bow|staff}" }

return load.test {
  name = "write-heavy",
  cluster = os.getenv "WINGMAN_CLUSTER" or "sim://3",
  scenarios = {
    positions = {
      executor = "constant-arrival-rate", rate = assert(tonumber(os.getenv "RATE" or 5000), "RATE is no number"),
      duration = os.getenv "DURATION" or "10s",
      keys = { count = 20000, distribution = "zipf" },
      exec = function(vu) vu:map "players":set(vu:key(), record(vu)) end,
    },
    notes = {
      executor = "constant-arrival-rate", rate = 200, duration = os.getenv "DURATION" or "10s", keys = { count = 2000 },
      exec = function(vu) vu:map "notes":set(vu:key(), { text = vu:text(size(vu)) }) end,
    },
  },
  thresholds = {
    ops_unacknowledged = { "count==0" },
    ["op_latency{scenario:positions}"] = { "p(99)<1s" },
    ["op_latency{scenario:notes}"] = { "p(99)<1s" },
  },
}
