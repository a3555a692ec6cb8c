--- Replicas under random schedules. WINGMAN_REPLICA_SEEDS is how many to run on each cluster, WINGMAN_SEED the first.
local clusters = require "spec.support.cluster"
local schedule = require "spec.support.replica_schedule"

local FIRST = tonumber(os.getenv "WINGMAN_SEED") or 1
local SEEDS = tonumber(os.getenv "WINGMAN_REPLICA_SEEDS")

clusters.on_each(getfenv(), "replicas", function(shared, it)
  -- A subscription to head costs its connection 5 s.
  local count = SEEDS or ((shared.is_real or shared:is_head()) and 1 or 2)
  it(("are what the nodes hold, after the schedules of seeds %d to %d"):format(FIRST, FIRST + count - 1), function()
    for seed = FIRST, FIRST + count - 1 do
      schedule.run(shared, seed)
      shared:close_clients()
    end
  end)
end, { "sim://3", "sim://3?dialect=0.11", "sim://3?release=head", "topgun://3" })
