---@meta
-- Written by scripts/reference.lua from lists of options, for editors and checkers
-- that read LuaLS annotations. Nothing requires it.

---@class wingman.sim.options: table<"detection_ms"|"dialect"|"hash"|"no_auth"|"nodes"|"partitions"|"ports"|"rate"|"secret"|"seed"|"sink"|"spread_ms", any>
---@field detection_ms? number until nodes notice that one is gone; default 50
---@field dialect? "v2"|"0.11" what the nodes speak; default v2
---@field hash? string fnv1a or xxh64; with commas, of each node; default fnv1a
---@field no_auth? boolean v2: no token is asked for
---@field nodes? number default 3
---@field partitions? number default 271
---@field ports? integer[] a list; default: any that are free
---@field rate? number v2: operations a second per connection before ERROR 429; default: no limit
---@field secret? string for tokens
---@field seed? number of what is random; default 1
---@field sink? boolean nothing is stored, for measuring generators
---@field spread_ms? number 0.11: how far apart the nodes change their maps; default 150

---@class wingman.topgun.options: table<"nodes", any>
---@field nodes? number server processes
