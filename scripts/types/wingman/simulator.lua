---@meta
---@type any
local module = {}
return module
