--- How far behind another client's copy is: users move, and each write is timed until an observer shows it.
local load = require "wingman.load"

return load.test {
  name = "replica-lag",
  cluster = os.getenv "WINGMAN_CLUSTER" or "sim://3",
  follow = { "players", "turns" },
  scenarios = {
    moves = { -- every write is timed; nobody waits
      executor = "constant-arrival-rate", rate = assert(tonumber(os.getenv "RATE" or 1000), "RATE is no number"),
      duration = os.getenv "DURATION" or "10s",
      keys = { count = 2000, prefix = "player-" },
      exec = function(vu)
        vu:map "players":set(vu:key(), { x = vu:random(1, 1000), by = vu.id, n = vu.iteration })
      end,
    },
    turns = { -- each user goes on when the others can know of its move
      executor = "constant-vus", vus = 4, duration = os.getenv "DURATION" or "10s",
      exec = function(vu)
        local key = "table-" .. vu.id
        vu:map "turns":set(key, { n = vu.iteration })
        vu:check("seen by another client", vu:wait_seen("turns", key, "10s"))
      end,
    },
  },
  thresholds = {
    ["replica_lag{map:players}"] = { "p(99)<1s" }, ["replica_lag{map:turns}"] = { "p(99)<1s" }, replica_lost = { "count==0" },
    snapshot_time = { "max<5s" }, checks = { "rate==1" },
  },
}
