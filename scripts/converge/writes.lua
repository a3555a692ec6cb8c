--- What the writers of a schedule do in a step.
local core = require "wingman.core"
local loop = require "wingman.loop"
local values = require "converge.values"

local M = {}

--- Few keys, so that writers meet, and many, so that bursts are longer than the nodes' queues.
local CONTESTED, BURST, BURSTS = 16, 120, 3
--- Of every cluster, unless its options say otherwise.
local PARTITIONS = 271

local function set(run, map, key, rng) assert(map:set(key, values.random(rng, run.is_v2))) end

--- The partitions of the keys that writers meet at.
---@param hash "fnv1a"|"xxh64"
---@return integer[]
function M.contested_partitions(hash)
  local partitions = {}
  for i = 1, CONTESTED do partitions[i] = core["hash_" .. hash]("c" .. i) % PARTITIONS end
  return partitions
end

--- Puts and removals of several writers race.
function M.contest(run, rng)
  for _ = 1, rng:int(5, 40) do
    local map, key = rng:pick(run.writers), "c" .. rng:int(1, CONTESTED)
    if rng:chance(0.3) then assert(map:remove(key)) else set(run, map, key, rng) end
    if rng:chance(0.1) then loop.sleep(0) end
  end
end

function M.burst(run, rng)
  local map, from = rng:pick(run.writers), rng:int(0, BURSTS - 1) * BURST
  for i = from, from + rng:int(10, BURST) do set(run, map, "b" .. i, rng) end
end

function M.removals(run, rng)
  local map, from = rng:pick(run.writers), rng:int(0, BURSTS - 1) * BURST
  for i = from, from + rng:int(10, BURST) do assert(map:remove("b" .. i)) end
end

--- Each key several times before anything is acknowledged.
function M.rewrite(run, rng)
  local map = rng:pick(run.writers)
  for _ = 1, 3 do
    for i = 1, 8 do set(run, map, "r" .. i, rng) end
    assert(map:remove("r" .. rng:int(1, 8)))
  end
end

--- Others may be waited for longer than a fault lasts: it goes on without.
function M.drain(run, rng) rng:pick(run.writers).client:drain(0.2) end

function M.rest(_, rng) loop.sleep(rng:float() * 0.15) end

return M
