--- The levels of a client's log lines.
local M = {}

--- From the least important on.
---@type string[]
M.names = { "debug", "info", "warn", "error" }

---@alias wingman.log_level "debug"|"info"|"warn"|"error"

--- By name: the larger, the more important.
---@type table<wingman.log_level, integer>
M.rank = {}
for i, name in ipairs(M.names) do M.rank[name] = i end

return M
