--- Live queries under random schedules. WINGMAN_REPLICA_SEEDS is how many to run on each cluster, WINGMAN_SEED the first.
local checker = require "spec.support.live_checker"
local clusters = require "spec.support.cluster"
local schedule = require "spec.support.replica_schedule"

local FIRST = tonumber(os.getenv "WINGMAN_SEED") or 101
local SEEDS = tonumber(os.getenv "WINGMAN_REPLICA_SEEDS")

-- What a replica shows: what the nodes hold, and what they have lost.
local function shown(map, expected, lost)
  local records = {}
  for key, record in pairs(expected) do records[key] = record end
  for key in pairs(lost) do
    local value = map:get(key)
    if not records[key] and value ~= nil then records[key] = { value = value } end
  end
  return records
end

-- The rows of the copy, and of the nodes where these have lost nothing.
local function wrong_queries(map, records, has_lost)
  for i, case in ipairs(checker.cases) do
    local query, expected = {}, checker.expected(case, records)
    for name, option in pairs(case.query) do query[name] = option end
    for _, source in ipairs(has_lost and { "copy" } or { "copy", "cluster" }) do
      query.source = source
      local wrong = checker.difference(assert(map.client:query(map.name, query)), expected)
      if wrong then return ("query %d of the %s: %s"):format(i, source, wrong) end
    end
  end
end

clusters.on_each(getfenv(), "live queries", function(shared, it)
  local count = SEEDS or ((shared.is_real or shared:is_head()) and 1 or 2)
  it(("have the rows of what the nodes hold, told once each, as watches are, and a query of the copy those of the cluster, seeds %d to %d")
    :format(FIRST, FIRST + count - 1), function()
    for seed = FIRST, FIRST + count - 1 do
      local followers = {}
      schedule.run(shared, seed, {
        begin = function(map) followers[map] = checker.follow(map) end,
        wrong = function(map, expected, lost)
          local records = shown(map, expected, lost)
          return checker.wrong(followers[map], records) or wrong_queries(map, records, next(lost) ~= nil)
        end,
      })
      shared:close_clients()
    end
  end)
end, { "sim://3", "sim://3?dialect=0.11", "sim://3?release=head", "topgun://3" })
