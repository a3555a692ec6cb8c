--- Random numbers from a seed. Each schedule has a stream of its own, so that those
--- that run side by side do not disturb each other.
local M = {}

-- Park and Miller's generator: every product is exact in a double.
local MODULUS, FACTOR = 2147483647, 48271

---@class chaos.random
---@field package state integer  1 .. MODULUS - 1
local methods = {}
methods.__index = methods

---@param seed integer
---@return chaos.random
function M.new(seed)
  local self = setmetatable({ state = seed % (MODULUS - 1) + 1 }, methods)
  for _ = 1, 4 do self:float() end -- the first numbers of seeds next to each other are alike
  return self
end

--- A number in [0, 1).
function methods:float()
  self.state = self.state * FACTOR % MODULUS
  return (self.state - 1) / (MODULUS - 1)
end

--- A whole number in low .. high.
---@param low integer
---@param high integer
function methods:int(low, high) return low + math.floor(self:float() * (high - low + 1)) end

---@param probability number
function methods:chance(probability) return self:float() < probability end

function methods:pick(list) return list[self:int(1, #list)] end

return M
