--- Random numbers of one virtual user: the same for the same seed, and independent of
--- what others draw. Marsaglia's xorshift128 (2003), which LuaJIT compiles to a dozen
--- instructions.
local bit = require "bit"

local band, bxor, lshift, rshift, tobit = bit.band, bit.bxor, bit.lshift, bit.rshift, bit.tobit
local floor = math.floor

local M = {}

---@class wingman.load.random
---@field private x integer
---@field private y integer
---@field private z integer
---@field private w integer
local methods = {}
methods.__index = methods

--- Spreads a 32-bit number over all bits, after the finalizer of MurmurHash3, with 16-bit
--- factors so that products stay exact. A signed 32-bit number.
---@param h integer
---@return integer
function M.mix(h)
  h = bxor(h, rshift(h, 16))
  h = tobit(tobit(h * 0x85eb) + lshift(tobit(h * 0xca6b), 16))
  h = bxor(h, rshift(h, 13))
  h = tobit(tobit(h * 0xc2b2) + lshift(tobit(h * 0xae35), 16))
  return bxor(h, rshift(h, 16))
end

--- The most numbers that M.permutation takes.
M.MOST_PERMUTED = 2 ^ 31

--- A function that scatters the numbers 0 .. count - 1 over themselves: each comes out once,
--- always the same for the same count. Steps that can be undone within a power of two (an odd
--- factor, a shift to the right) make another number of each; what lies above `count` goes
--- through them again.
---@param count integer  1 .. MOST_PERMUTED
---@return fun(i: integer): integer
function M.permutation(count)
  local bits = 0
  while 2 ^ bits < count do bits = bits + 1 end
  local mask, half = 2 ^ bits - 1, math.ceil(bits / 2)
  return function(i)
    repeat
      i = band(tobit(i * 0x85eb + 0x9e37), mask)
      i = bxor(i, rshift(i, half))
      i = band(tobit(i * 0xca6b + 0x79b9), mask)
      i = bxor(i, rshift(i, half))
      i = band(tobit(i * 0xae35 + 0x7f4b), mask)
    until i < count
    return i
  end
end

--- A generator for the `stream`-th user of a seed.
---@param seed integer
---@param stream integer
---@return wingman.load.random
function M.new(seed, stream)
  local h = M.mix(tobit(seed % 4294967296) + 0x9e37)
  local self = setmetatable({ x = 0, y = 0, z = 0, w = 0 }, methods)
  for i, name in ipairs { "x", "y", "z", "w" } do
    h = M.mix(bxor(h, tobit((stream * 0x9e3b + i * 0x7f4b) % 4294967296)))
    self[name] = h
  end
  if self.x == 0 and self.y == 0 and self.z == 0 and self.w == 0 then self.w = 1 end
  for _ = 1, 8 do self:float() end
  return self
end

--- From 0 to below 1, in steps of 2^-32.
---@return number
function methods:float()
  local x, w = self.x, self.w
  local t = bxor(x, lshift(x, 11))
  self.x, self.y, self.z = self.y, self.z, w
  w = bxor(bxor(w, rshift(w, 19)), bxor(t, rshift(t, 8)))
  self.w = w
  return (w + 2147483648) / 4294967296
end

--- A whole number from `low` to `high`.
---@param low integer
---@param high integer
---@return integer
function methods:int(low, high) return low + floor(self:float() * (high - low + 1)) end

--- Normally distributed around 0 with the deviation 1 (Box and Muller).
---@return number
function methods:normal()
  local u = 1 - self:float()
  return math.sqrt(-2 * math.log(u)) * math.cos(2 * math.pi * self:float())
end

return M
