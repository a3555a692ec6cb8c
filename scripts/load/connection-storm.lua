--- Many clients connect at once, as after a release: each user has a connection of its own,
--- authenticates, asks what is new, stays for a while and goes. connect_time, auth_time and
--- first_answer are in the report.
---   VUS=5000 DURATION=60s build/wingman run scripts/load/connection-storm.lua
local load = require "wingman.load"
local loop = require "wingman.loop"

local users = assert(tonumber(os.getenv "VUS" or 300), "VUS is no number")
local first_answer = load.trend("first_answer", "s")

-- What a client says first of a map that it has nothing of yet.
local question = { type = "SYNC_INIT", mapName = "storm", lastSyncTimestamp = 0 }

return load.test {
  name = "connection-storm",
  cluster = os.getenv "WINGMAN_CLUSTER" or "sim://3",
  connections = "per-vu",
  client = { connect_timeout = 20, auth_timeout = 20 },
  scenarios = {
    storm = {
      executor = "constant-vus", vus = users, duration = os.getenv "DURATION" or "5s", graceful_stop = "40s",
      exec = function(vu)
        local connected = vu:connect()
        vu:check("connected and authenticated", connected)
        local asked = loop.now()
        local answered = connected and vu:request(question, "SYNC_RESP_ROOT", 10) ~= nil
        vu:check("answered", answered)
        if answered then first_answer:add(loop.now() - asked) end
        vu:sleep(1 + vu:random())
        vu:check("still connected", connected and vu:is_connected())
        vu:disconnect()
      end,
    },
  },
  thresholds = {
    checks = { "rate>0.99" },
    connect_time = { "p(95)<10s" },
    auth_time = { "p(95)<10s" },
  },
}
