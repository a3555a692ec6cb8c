--- What `pairs` gives in any order, in order: for lists that people read, and for runs that repeat.
local M = {}

--- The keys of a table, ascending.
---@generic K: string|number
---@param set table<K, any>  its keys are all strings or all numbers
---@return K[]  a new list
function M.keys(set)
  local keys = {}
  for key in pairs(set) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

return M
