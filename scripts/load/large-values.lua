--- Values from a kilobyte to half a megabyte: what the batches' limit in bytes and the
--- sockets' buffers do to latency.
local load = require "wingman.load"

local size = load.sizes.mix { { 1000, 60 }, { 20000, 30 }, { 100000, 9 }, { 500000, 1 } }

return load.test {
  name = "large-values",
  cluster = os.getenv "WINGMAN_CLUSTER" or "sim://3",
  scenarios = {
    blobs = {
      executor = "constant-arrival-rate", rate = assert(tonumber(os.getenv "RATE" or 50), "RATE is no number"),
      duration = os.getenv "DURATION" or "10s",
      keys = { count = 200 },
      exec = function(vu) assert(vu:map "blobs":set(vu:key(), { blob = vu:text(size(vu)) })) end,
    },
  },
  thresholds = {
    ops_unacknowledged = { "count==0" },
    errors = { "count==0" },
    ["op_latency{scenario:blobs}"] = { "p(95)<3s" },
  },
}
