--- The order of a query's rows, made here: by fields, then by key.
local core = require "wingman.core"
local numbers = require "wingman.client.query.numbers"

local M = {}

---@class wingman.query_sort  one field to sort by
---@field field string
---@field descending boolean

local DIRECTIONS = { asc = false, desc = true }

local function sort_of(field, direction)
  if type(field) ~= "string" or DIRECTIONS[direction] == nil then return nil end
  return { field = field, descending = DIRECTIONS[direction] }
end

-- "score", "score asc", "score desc"
local function from_text(text)
  local field, direction = text:match "^(.-)%s+(%a+)$"
  if field == "" or text == "" or text:find "%s$" then return nil end
  if field then return sort_of(field, direction) end
  return sort_of(text, "asc")
end

local function from_list(list)
  local sorts = {}
  for i, one in ipairs(list) do
    if type(one) == "string" then sorts[i] = from_text(one)
    elseif type(one) == "table" then sorts[i] = sort_of(one.field, one.direction) end
    if not sorts[i] then return nil end
  end
  return sorts
end

--- Reads the option `sort`: "score desc"; a list of such texts, or of { field =, direction = }; or one
--- field, { score = "desc" }, as a table has no order for more. nil: another form.
---@param sort any
---@return wingman.query_sort[]|nil
function M.read(sort)
  if type(sort) == "string" then return from_list { sort } end
  if type(sort) ~= "table" then return nil end
  local first, direction = next(sort)
  if first == nil then return {} end
  if type(first) == "string" then return next(sort, first) == nil and from_list { { field = first, direction = direction } } or nil end
  local count = 0
  for _ in pairs(sort) do count = count + 1 end
  return count == #sort and from_list(sort) or nil
end

-- Numbers before strings before booleans before all else, in both directions; what is not there is last.
local RANKS = { number = 1, string = 2, boolean = 3 }
local LAST = 5

local function rank_of(value)
  if value == nil or value == core.null then return LAST end
  if value ~= value then return LAST - 1 end -- NaN
  if numbers.is(value) then return RANKS.number end
  return RANKS[type(value)] or LAST - 1
end

-- -1 when `a` comes before `b`, 1 when behind, 0 when the field does not say.
local function compare(a, b, descending)
  if type(a) == "number" and type(b) == "number" and a == a and b == b then -- most are
    if a == b then return 0 end
    return (a < b) ~= descending and -1 or 1
  end
  local rank, other = rank_of(a), rank_of(b)
  if rank ~= other then return rank < other and -1 or 1 end
  if rank >= LAST - 1 then return 0 end
  if rank == RANKS.number then
    local by_number = numbers.compare(a, b)
    return descending and -by_number or by_number
  end
  if a == b then return 0 end
  if rank == RANKS.boolean then a, b = a and 1 or 0, b and 1 or 0 end
  return (a < b) ~= descending and -1 or 1
end

-- `false` is a value of a field, too.
local function value_of(row, name)
  if type(row.value) ~= "table" then return nil end
  return row.value[name]
end

--- The order that fields give to rows; the key decides where they do not.
---@param sorts wingman.query_sort[]
---@return fun(a: wingman.row, b: wingman.row): boolean is_before
function M.by(sorts)
  local count = #sorts
  return function(a, b)
    for i = 1, count do
      local sort = sorts[i]
      local order = compare(value_of(a, sort.field), value_of(b, sort.field), sort.descending)
      if order ~= 0 then return order < 0 end
    end
    return a.key < b.key
  end
end

--- Sorts rows in place.
---@param rows { key: string, value: any }[]
---@param sorts wingman.query_sort[]
function M.sort(rows, sorts) table.sort(rows, M.by(sorts)) end

return M
