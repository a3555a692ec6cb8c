--- The events that turn one list of rows into another: one for each key, with the index at which it applies to the list
--- as the events before it have left it.
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

-- Removes the rows that `wanted` does not have, the last first. True when the time is up.
local function report_gone(reported, wanted, report)
  for i = #reported, 1, -1 do
    if not wanted[reported[i].key] then
      if report("leave", table.remove(reported, i), i) then return true end
    end
  end
  return false
end

-- Puts a new row, or a new value of one, behind the place `before`; its place, and the old row with its place.
local function put(reported, row, old, before)
  local from = old and place_of(reported, old)
  if from then
    table.remove(reported, from)
    if from <= before then before = before - 1 end
  end
  table.insert(reported, before + 1, row)
  return before + 1, from
end

--- Makes `reported` what `target` is. Rows are objects that do not change: a new value of a key is a new row. When it ends
--- early, as it is late, the next call goes on with whatever is the target then.
---@param reported wingman.row[]    the list as it was reported so far; it is changed
---@param target wingman.row[]
---@param report fun(change: "enter"|"update"|"leave", row: wingman.row, index: integer, old: wingman.row|nil, from: integer|nil): boolean
---  whether the time is up; update: `old` was at the index `from`
---@return boolean left
function M.pass(reported, target, report)
  local olds, is_reported = by_key(reported), set_of(reported)
  if report_gone(reported, by_key(target), report) then return true end
  local place = 0 -- of the row before, which was reported
  for _, row in ipairs(target) do
    if is_reported[row] then
      repeat place = place + 1 until reported[place] == row
    else
      local old, from = olds[row.key]
      place, from = put(reported, row, old, place)
      if report(old and "update" or "enter", row, place, old, from) then return true end
    end
  end
  return false
end

return M
