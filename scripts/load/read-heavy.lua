--- Many readers, few writers. A read asks the owner of its key; a query asks every node.
local load = require "wingman.load"

return load.test {
  name = "read-heavy",
  cluster = os.getenv "WINGMAN_CLUSTER" or "sim://3",
  setup = function(hand)
    for i = 1, 500 do assert(hand:map "catalogue":set("key-" .. i, { price = i % 90, name = "item " .. i })) end
    hand:map "catalogue":read "key-1" -- the first read of a client opens what it goes through
  end,
  scenarios = {
    reads = {
      executor = "constant-arrival-rate", rate = assert(tonumber(os.getenv "RATE" or 1000), "RATE is no number"),
      duration = os.getenv "DURATION" or "10s",
      keys = { count = 500, distribution = "zipf" },
      exec = function(vu) vu:map "catalogue":read(vu:key()) end,
    },
    queries = {
      executor = "constant-vus", vus = 4, duration = os.getenv "DURATION" or "10s",
      exec = function(vu)
        local found = vu:query("catalogue", { where = { price = { lt = 10 } }, sort = "price", limit = 20 })
        vu:check("a query finds rows", found ~= nil and #found == 20)
        vu:sleep(0.05)
      end,
    },
    writes = {
      executor = "constant-arrival-rate", rate = 50, duration = os.getenv "DURATION" or "10s", keys = { count = 500 },
      exec = function(vu) vu:map "catalogue":set(vu:key(), { price = vu:random(1, 90), name = "changed" }) end,
    },
  },
  thresholds = {
    checks = { "rate==1" }, read_latency = { "p(99)<1s" }, query_latency = { "p(95)<2s" }, reads_absent = { "count==0" },
    ops_unacknowledged = { "count==0" },
  },
}
