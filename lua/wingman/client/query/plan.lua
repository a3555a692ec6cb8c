--- A query as functions: which values match, the order of rows, and what of a value a row shows. One for queries of the
--- cluster, of a copy, and for live ones, so that they have the same rows.
local filter = require "wingman.client.query.filter"
local order = require "wingman.client.query.order"

local M = {}

---@class wingman.query_plan
---@field matches fun(value: any): boolean
---@field is_before fun(a: wingman.row, b: wingman.row): boolean  whether a row comes before another; no two are equal
---@field select (fun(value: any): any)|nil  the part of a value that a row shows; nil: all of it
---@field offset integer
---@field limit number  math.huge: no limit

--- A value of its own, which may be changed.
---@param value any
---@return any
function M.copied(value)
  if type(value) ~= "table" then return value end
  local copy = {}
  for name, part in pairs(value) do copy[name] = M.copied(part) end
  return setmetatable(copy, getmetatable(value))
end

-- A value that is no table has no fields: its row shows an empty table.
local function selector(fields)
  return function(value)
    local part = {}
    for _, field in ipairs(type(value) == "table" and fields or {}) do part[field] = value[field] end
    return part
  end
end

--- The plan of checked options; nil and what is wrong inside of where or predicate.
---@param checked table
---@return wingman.query_plan|nil plan, string|nil wrong
function M.of(checked)
  local matches, wrong = filter.of(checked.where, checked.predicate)
  if not matches then return nil, wrong end
  return { matches = matches, is_before = order.by(order.read(checked.sort or {})), offset = checked.offset,
    limit = checked.limit or math.huge, select = checked.select and selector(checked.select) }
end

-- The rows behind the first `offset`, `limit` of them at most.
local function cut(sorted, offset, limit)
  if offset == 0 and #sorted <= limit then return sorted end
  local part = {}
  for i = offset + 1, math.min(#sorted, offset + limit) do part[#part + 1] = sorted[i] end
  return part
end

--- The rows of a query, of all that match: sorted, cut, and with what is selected. They are changed.
---@param plan wingman.query_plan
---@param found wingman.row[]
---@return wingman.row[]
function M.arrange(plan, found)
  table.sort(found, plan.is_before)
  local part = cut(found, plan.offset, plan.limit)
  for _, row in ipairs(plan.select and part or {}) do row.value = plan.select(row.value) end
  return part
end

return M
