--- What the clients do meanwhile: bursts of writes and removals, most of them of keys
--- of their own, some of keys that all write; and reads.
local loop = require "wingman.loop"

local M = {}

local OWN_KEYS, SHARED_KEYS = 40, 8
local BURST_MOST = 24
--- What the keys of all begin with.
local SHARED = "s-"

---@class chaos.work
---@field own string     the map with keys of one client each
---@field shared string  the map with keys of all
---@field rest number    seconds between two bursts, at most

--- The work of a schedule. (With maps named x-own and x-shared, written by several
--- clients at once, server 2.2.0 stands still within seconds: its two threads wait for
--- each other, and nothing is answered any more. Without the hyphen it does not.)
---@param name string
---@param rest number
---@return chaos.work
function M.work(name, rest) return { own = name .. "own", shared = name .. "shared", rest = rest } end

--- Whether a key is one that all clients may write, though perhaps only one did.
---@param key string
---@return boolean
function M.is_shared(key) return key:sub(1, #SHARED) == SHARED end

local function some_key(client, work, rng)
  if rng:chance(0.1) then return work.shared, SHARED .. rng:int(1, SHARED_KEYS), true end
  return work.own, client.name .. "-" .. rng:int(1, OWN_KEYS), false
end

--- One burst.
---@param client chaos.local_client
---@param work chaos.work
---@param rng chaos.random
function M.burst(client, work, rng)
  for _ = 1, rng:int(1, BURST_MOST) do
    local map_name, key = some_key(client, work, rng)
    client:write(map_name, key, rng:chance(0.15) and "remove" or "set")
  end
  client:read(work.own, client.name .. "-" .. rng:int(1, OWN_KEYS))
end

--- Bursts until `is_over()`.
---@param is_over fun(): boolean
function M.run(client, work, rng, is_over)
  while not is_over() do
    M.burst(client, work, rng)
    if client.query and rng:chance(0.1) then client:query(rng:chance(0.5) and work.own or work.shared) end
    loop.sleep(rng:float() * work.rest)
  end
end

return M
