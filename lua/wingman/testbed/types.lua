---@meta
-- Written by scripts/reference.lua from lists of options, for editors and checkers
-- that read LuaLS annotations. Nothing requires it.

---@class wingman.sim.options: table<"detection_ms"|"dialect"|"hash"|"no_auth"|"nodes"|"partitions"|"ports"|"rate"|"secret"|"seed"|"sink"|"spread_ms", any>
---@field detection_ms? number
---@field dialect? "v2"|"0.11"
---@field hash? string
---@field no_auth? boolean
---@field nodes? number
---@field partitions? number
---@field ports? integer[]
---@field rate? number
---@field secret? string
---@field seed? number
---@field sink? boolean
---@field spread_ms? number

---@class wingman.topgun.options: table<"nodes", any>
---@field nodes? number
