--- Numbers of queries in their exact order. Whole ones beyond 2^53 are decoded as int64_t or uint64_t, which LuaJIT
--- compares with each other and with doubles by converting one of them: -1 would equal 2^64 - 1.
local has_ffi, ffi = pcall(require, "ffi")

local M = {}

local int64 = has_ffi and ffi.typeof "int64_t"
local uint64 = has_ffi and ffi.typeof "uint64_t"

local function is_int64(value) return ffi.istype(int64, value) end

--- Whether a value is a number of either kind.
---@param value any
---@return boolean
function M.is(value)
  local kind = type(value)
  if kind == "number" then return true end
  return kind == "cdata" and has_ffi and (ffi.istype(int64, value) or ffi.istype(uint64, value))
end

local function order_of(a, b)
  if a == b then return 0 end
  return a < b and -1 or 1
end

-- A whole number of 64 bits and a double; nil for NaN.
local function compare_with_double(whole, double)
  if double ~= double then return nil end
  local lowest, above = 0, 2 ^ 64
  if is_int64(whole) then lowest, above = -2 ^ 63, 2 ^ 63 end
  if double < lowest then return 1 end
  if double >= above then return -1 end
  local floor = math.floor(double)
  local order = order_of(whole, ffi.cast(is_int64(whole) and int64 or uint64, floor))
  return order == 0 and double > floor and -1 or order
end

local function compare_whole(a, b)
  if is_int64(a) == is_int64(b) then return order_of(a, b) end
  if is_int64(b) then return -compare_whole(b, a) end
  return a < int64(0) and -1 or order_of(ffi.cast(uint64, a), b)
end

--- -1 where `a` is less than `b`, 0 where they are equal, 1 where it is more; nil where one is NaN.
---@param a any  a number, as M.is knows it
---@param b any  the same
---@return integer|nil
function M.compare(a, b)
  local a_is_double, b_is_double = type(a) == "number", type(b) == "number"
  if a_is_double and b_is_double then
    if a ~= a or b ~= b then return nil end
    return order_of(a, b)
  end
  if b_is_double then return compare_with_double(a, b) end
  if not a_is_double then return compare_whole(a, b) end
  local order = compare_with_double(b, a)
  return order and -order
end

return M
