--- The median of a benchmark's rounds.

--- Sorts the list. Of an even number the mean of the two in the middle; nil for none.
---@param values number[]
---@return number|nil
return function(values)
  if #values == 0 then return nil end
  table.sort(values)
  local middle = #values / 2
  return #values % 2 == 1 and values[middle + 0.5] or (values[middle] + values[middle + 1]) / 2
end
