--- Many readers, few writers. A read of a map is one of the local copy and costs no
--- network; a query asks every node.
local load = require "wingman.load"

local query_time = load.trend("query_time", "s")
local loop = require "wingman.loop"

return load.test {
  name = "read-heavy",
  cluster = os.getenv "WINGMAN_CLUSTER" or "sim://3",
  setup = function(hand)
    for i = 1, 500 do assert(hand:map "catalogue":set("key-" .. i, { price = i % 90, name = "item " .. i })) end
  end,
  scenarios = {
    reads = {
      executor = "constant-arrival-rate", rate = assert(tonumber(os.getenv "RATE" or 5000), "RATE is no number"),
      duration = os.getenv "DURATION" or "10s",
      keys = { count = 500, distribution = "zipf" },
      exec = function(vu) vu:check("the item is there", vu:map "catalogue":get(vu:key()) ~= nil) end,
    },
    queries = {
      executor = "constant-vus", vus = 4, duration = os.getenv "DURATION" or "10s",
      exec = function(vu)
        local began = loop.now()
        local found = vu.client:query("catalogue", { limit = 20 })
        query_time:add(loop.now() - began)
        vu:check("a query is answered", found ~= nil and next(found) ~= nil)
        vu:sleep(0.05)
      end,
    },
    writes = {
      executor = "constant-arrival-rate", rate = 50, duration = os.getenv "DURATION" or "10s", keys = { count = 500 },
      exec = function(vu) vu:map "catalogue":set(vu:key(), { price = vu:random(1, 90), name = "changed" }) end,
    },
  },
  thresholds = { checks = { "rate==1" }, query_time = { "p(95)<2s" }, ops_unacknowledged = { "count==0" } },
}
