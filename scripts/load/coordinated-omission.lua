--- Why latency is to be measured by an open model: one node answers nothing for one second
--- of four. The open scenario writes when a write is due, whatever happens; the closed one
--- is a user that waits for each answer, and asks nothing meanwhile. The plot in README:
---   build/wingman run --out svg=coordinated-omission.svg scripts/load/coordinated-omission.lua
local load = require "wingman.load"

local function write_and_wait(vu) assert(vu:wait(vu:map "omission":set(vu:key(), vu.iteration))) end

return load.test {
  name = "coordinated-omission",
  cluster = os.getenv "WINGMAN_CLUSTER" or "sim://1", -- the stall is a fault of the simulated cluster
  client = { batch = { ack_timeout = 30 }, circuit = "never" },
  scenarios = {
    open = {
      executor = "constant-arrival-rate", rate = 200, duration = "4s", keys = { count = 1000 }, max_vus = 400,
      exec = write_and_wait,
    },
    closed = { executor = "constant-vus", vus = 1, duration = "4s", keys = { count = 1000 }, exec = write_and_wait },
  },
  nemesis = { { at = "1s", pause = "node-1" }, { at = "2s", resume = "node-1" } },
  thresholds = {
    ["op_latency{scenario:open}"] = { "p(99)>500ms" },
    ["op_latency{scenario:closed}"] = { "p(99)<500ms" },
    ops_unacknowledged = { "count==0" },
  },
}
