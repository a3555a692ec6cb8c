--- The name that was probably meant by one that does not exist.
local M = {}

--- Edits that a name may be away, for names of at least this length; shorter ones have one.
local LONG_NAME, MOST_EDITS = 5, 2

-- Insertions, deletions, replacements and swaps of neighbours that make `b` of `a`: the
-- optimal string alignment distance.
local function distance(a, b)
  local row, last, before = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    before, last, row = last, row, { [0] = i }
    for j = 1, #b do
      local is_same = a:byte(i) == b:byte(j)
      row[j] = math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (is_same and 0 or 1))
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        row[j] = math.min(row[j], before[j - 2] + 1)
      end
    end
  end
  return row[#b]
end

local function plain(name) return (name:lower():gsub("-", "_")) end

local function sorted_names(names)
  local list = {}
  for key, value in pairs(names) do list[#list + 1] = type(key) == "number" and value or key end
  table.sort(list)
  return list
end

--- The name that is nearest to a wrong one; nil when none is near.
---@param wrong string
---@param names string[]|table<string, any>  a list, or a table whose keys they are
---@return string|nil
function M.find(wrong, names)
  local found
  local most = #wrong >= LONG_NAME and MOST_EDITS or 1
  for _, name in ipairs(sorted_names(names)) do
    local edits = distance(plain(wrong), plain(name))
    if edits <= most then found, most = name, edits - 1 end
  end
  return found
end

--- The end of an error about a wrong name: "; did you mean 'rate'?", or "".
---@param wrong any
---@param names string[]|table<string, any>
---@return string
function M.hint(wrong, names)
  local name = type(wrong) == "string" and M.find(wrong, names)
  return name and ("; did you mean '%s'?"):format(name) or ""
end

--- What to say of a flag that a command does not have, or does not have with a value behind "=".
---@param word string  "--rat", "--rat=5", "-x"
---@param ... string[]|table<string, any>  the names that it has, with or without their dashes
---@return string
function M.unknown_flag(word, ...)
  local flag = word:match "^[^=]*"
  local names = {}
  for _, set in ipairs { ... } do
    for _, name in ipairs(sorted_names(set)) do
      if not name:match "^%-" then name = "--" .. name end
      if name == flag then return ("'%s': the value of %s, if it takes one, is the next word"):format(word, flag) end
      if #name > 2 then names[#names + 1] = name end
    end
  end
  return ("unknown option '%s'%s"):format(flag, M.hint(flag, names))
end

return M
