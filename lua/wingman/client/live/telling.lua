--- Tells what has become of a list of rows: one call for each key, each with the index at which it applies to what
--- was told before it.
local M = {}

local function set_of(rows)
  local is_in = {}
  for _, row in ipairs(rows) do is_in[row] = true end
  return is_in
end

local function by_key(rows)
  local found = {}
  for _, row in ipairs(rows) do found[row.key] = row end
  return found
end

local function place_of(rows, row)
  for i = 1, #rows do
    if rows[i] == row then return i end
  end
end

-- Those that have gone, the last first. True when it is late.
local function tell_gone(told, wanted, tell)
  for i = #told, 1, -1 do
    if not wanted[told[i].key] then
      if tell("leave", table.remove(told, i), i) then return true end
    end
  end
  return false
end

-- Puts a new row, or a new value of one, behind the place `before`; its place, and the old row with its place.
local function put(told, row, old, before)
  local from = old and place_of(told, old)
  if from then
    table.remove(told, from)
    if from <= before then before = before - 1 end
  end
  table.insert(told, before + 1, row)
  return before + 1, from
end

--- Makes `told` what `target` is. Rows are objects that do not change: a new value of a key is a new row. When it ends
--- early, as it is late, the next call goes on with whatever is the target then.
---@param told wingman.row[]    what was told so far; it is changed
---@param target wingman.row[]
---@param tell fun(change: "enter"|"update"|"leave", row: wingman.row, index: integer, old: wingman.row|nil, from: integer|nil): boolean
---  whether it is late; update: `old` was at the index `from`
---@return boolean left
function M.pass(told, target, tell)
  local olds, is_told = by_key(told), set_of(told)
  if tell_gone(told, by_key(target), tell) then return true end
  local place = 0 -- of the row before, which was told
  for _, row in ipairs(target) do
    if is_told[row] then
      repeat place = place + 1 until told[place] == row
    else
      local old, from = olds[row.key]
      place, from = put(told, row, old, place)
      if tell(old and "update" or "enter", row, place, old, from) then return true end
    end
  end
  return false
end

return M
