--- The condition of a query, evaluated here: which values match. Servers are not asked to, as each
--- family knows other operators, and none says which it does not know.
local core = require "wingman.core"
local nearest = require "wingman.base.nearest"
local numbers = require "wingman.client.query.numbers"
local wire_name = require "wingman.base.wire_name"

local M = {}

--- Conditions in each other, at most.
local MOST_NESTED = 32

---@alias wingman.query_test fun(value: any): boolean  of a value, or of a field's; null: there is no such field

-- Whether two decoded values are the same, tables by what they hold.
local function is_equal(a, b, depth)
  if numbers.is(a) and numbers.is(b) then return numbers.compare(a, b) == 0 end
  if a == b then return true end
  if type(a) ~= "table" or type(b) ~= "table" or depth > MOST_NESTED then return false end
  for key, value in pairs(a) do
    if not is_equal(value, b[key], depth + 1) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

local function can_be_ordered(value) return type(value) == "string" or numbers.is(value) end

-- -1, 0 or 1. Values of two types have no order, nor has NaN: nil, and no comparison of them holds.
local function order_of(value, operand)
  if numbers.is(value) then return numbers.is(operand) and numbers.compare(value, operand) or nil end
  if type(value) ~= "string" or type(operand) ~= "string" then return nil end
  if value == operand then return 0 end
  return value < operand and -1 or 1
end

local function ordered(holds)
  return function(operand)
    if not can_be_ordered(operand) then return nil, "a number or a string is expected" end
    return function(value)
      local order = order_of(value, operand)
      return order ~= nil and holds(order)
    end
  end
end

local function eq(operand)
  return function(value) return is_equal(value, operand, 0) end
end

local function is_list(value) return type(value) == "table" and (#value > 0 or next(value) == nil) end

--- Each makes a test of its operand; or nil and what is expected of it.
---@type table<string, fun(operand: any): wingman.query_test|nil, string|nil>
local OPERATORS = {
  eq = eq,
  neq = function(operand)
    return function(value) return not is_equal(value, operand, 0) end
  end,
  gt = ordered(function(order) return order > 0 end),
  gte = ordered(function(order) return order >= 0 end),
  lt = ordered(function(order) return order < 0 end),
  lte = ordered(function(order) return order <= 0 end),
  ["in"] = function(operand)
    if not is_list(operand) then return nil, "a list of values is expected" end
    return function(value)
      for _, one in ipairs(operand) do
        if is_equal(value, one, 0) then return true end
      end
      return false
    end
  end,
  between = function(operand)
    local low, high = type(operand) == "table" and operand[1], type(operand) == "table" and operand[2]
    if not can_be_ordered(low) or not can_be_ordered(high) or numbers.is(low) ~= numbers.is(high) or #operand ~= 2 then
      return nil, "{ lowest, highest } is expected"
    end
    return function(value) return (order_of(value, low) or -1) >= 0 and (order_of(value, high) or 1) <= 0 end
  end,
}
OPERATORS.ne = OPERATORS.neq -- $ne, as 0.11 servers spell it

local function field_of(value, name)
  local field
  if type(value) == "table" then field = value[name] end
  if field == nil then return core.null end
  return field
end

-- The test of one operator; or nil and what is wrong with it.
local function test_of(name, operand, place)
  local bare = type(name) == "string" and name:gsub("^%$", "") or name
  local make = OPERATORS[bare]
  if not make then
    return nil, ("%s: unknown operator %s%s"):format(place, wire_name.shown(tostring(name)), nearest.hint(bare, OPERATORS))
  end
  local test, wrong = make(operand)
  if not test then return nil, ("%s: of the operator %s, %s"):format(place, name, wrong) end
  return test
end

-- Whether all of these hold of a value.
local function all_of(tests)
  return function(value)
    for _, test in ipairs(tests) do
      if not test(value) then return false end
    end
    return true
  end
end

-- A test of whole values by one of their field.
local function of_field(name, test)
  return function(value) return test(field_of(value, name)) end
end

--- The test that `where` means: a field has a value, or one on which operators hold.
---@param where table<string, any>
---@return wingman.query_test|nil test, string|nil wrong
function M.of_where(where)
  local tests = {}
  for field, wanted in pairs(where) do
    local place = "option where " .. wire_name.shown(tostring(field))
    if type(field) ~= "string" then return nil, "option where: a table of fields and their values is expected" end
    local operators = type(wanted) == "table" and wanted or { eq = wanted }
    if next(operators) == nil then return nil, place .. ": operators are expected, got an empty table" end
    for name, operand in pairs(operators) do
      local test, wrong = test_of(name, operand, place)
      if not test then return nil, wrong end
      tests[#tests + 1] = of_field(field, test)
    end
  end
  return all_of(tests)
end

local read_node

local function read_children(node, depth)
  local tests = {}
  if not is_list(node.children) then return nil, "option predicate: a list of children is expected" end
  for i, child in ipairs(node.children) do
    local test, wrong = read_node(child, depth + 1)
    if not test then return nil, wrong end
    tests[i] = test
  end
  return tests
end

local JUNCTIONS = {
  ["and"] = all_of,
  ["or"] = function(tests)
    return function(value)
      for _, test in ipairs(tests) do
        if test(value) then return true end
      end
      return false
    end
  end,
  ["not"] = function(tests)
    if #tests ~= 1 then return nil, "option predicate: one child is expected of the op not" end
    return function(value) return not tests[1](value) end
  end,
}

function read_node(node, depth)
  if type(node) ~= "table" then return nil, "option predicate: a table with op is expected" end
  if depth > MOST_NESTED then return nil, ("option predicate: it is nested deeper than %d"):format(MOST_NESTED) end
  local junction = JUNCTIONS[node.op]
  if junction then
    local tests, wrong = read_children(node, depth)
    if not tests then return nil, wrong end
    return junction(tests)
  end
  if type(node.op) ~= "string" then return nil, "option predicate: a string is expected for op" end
  if type(node.attribute) ~= "string" then return nil, "option predicate: a string is expected for attribute" end
  local test, wrong = test_of(node.op, node.value, "option predicate")
  if not test then return nil, wrong end
  return of_field(node.attribute, test)
end

--- The test that `predicate` means: { op =, attribute =, value = }, or { op = "and" | "or" | "not", children = }.
---@param predicate table
---@return wingman.query_test|nil test, string|nil wrong
function M.of_predicate(predicate) return read_node(predicate, 0) end

--- Whether two decoded values are the same, tables by what they hold.
---@param a any
---@param b any
---@return boolean
function M.is_equal(a, b) return is_equal(a, b, 0) end

--- The test of both, for whole values: null matches nothing.
---@param where table|nil
---@param predicate table|nil
---@return wingman.query_test|nil test, string|nil wrong
function M.of(where, predicate)
  local tests = {}
  for _, part in ipairs { { where, M.of_where }, { predicate, M.of_predicate } } do
    if part[1] ~= nil then
      local test, wrong = part[2](part[1])
      if not test then return nil, wrong end
      tests[#tests + 1] = test
    end
  end
  local test = all_of(tests)
  return function(value) return value ~= nil and value ~= core.null and test(value) end
end

return M
