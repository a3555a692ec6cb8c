--- What the clients do meanwhile: bursts of writes and removals, most of them of keys
--- of their own, some of keys that all write; and reads.
local loop = require "wingman.loop"

local M = {}

local OWN_KEYS, SHARED_KEYS = 40, 8
local BURST_MOST, REST_MOST = 24, 0.012

--- The maps of a schedule: keys of one client each, and keys of all.
---@param name string
function M.maps(name) return { own = name .. "-own", shared = name .. "-shared" } end

local function some_key(client, maps, rng)
  if rng:chance(0.1) then return maps.shared, "s-" .. rng:int(1, SHARED_KEYS), true end
  return maps.own, client.name .. "-" .. rng:int(1, OWN_KEYS), false
end

--- One burst.
---@param client chaos.local_client
---@param maps { own: string, shared: string }
---@param rng chaos.random
function M.burst(client, maps, rng)
  for _ = 1, rng:int(1, BURST_MOST) do
    local map_name, key = some_key(client, maps, rng)
    client:write(map_name, key, rng:chance(0.15) and "remove" or "set")
  end
  client:read(maps.own, client.name .. "-" .. rng:int(1, OWN_KEYS))
end

--- Bursts until `is_over()`.
---@param is_over fun(): boolean
function M.run(client, maps, rng, is_over)
  while not is_over() do
    M.burst(client, maps, rng)
    if client.query and rng:chance(0.01) then client:query(rng:chance(0.5) and maps.own or maps.shared) end
    loop.sleep(rng:float() * REST_MOST)
  end
end

return M
