--- Rows in an order that stays while rows come and go: blocks of some hundred rows each, so that a change moves one block
--- and no more, whatever the number of rows is.
local M = {}

--- Rows of a block at most; it is split into two halves then.
local MOST = 512

---@class wingman.ranking
---@field count integer
---@field package blocks wingman.row[][]  none is empty
---@field package sizes integer[]          of the blocks: counting them anew takes longer than all else
---@field package is_before fun(a: wingman.row, b: wingman.row): boolean
local methods = {}
methods.__index = methods

---@param is_before fun(a: wingman.row, b: wingman.row): boolean  no two rows may be equal
---@return wingman.ranking
function M.new(is_before) return setmetatable({ blocks = {}, sizes = {}, count = 0, is_before = is_before }, methods) end

--- The place of a row in a sorted list: of itself, or at which it would be inserted.
---@param list wingman.row[]
---@param row wingman.row
---@param is_before fun(a: wingman.row, b: wingman.row): boolean
---@return integer
function M.place_in(list, row, is_before)
  local low, high = 1, #list + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    if is_before(list[middle], row) then low = middle + 1 else high = middle end
  end
  return low
end

-- The number of the first block whose last row does not come before this one; else of the last block.
local function block_of(self, row)
  local blocks, sizes, is_before = self.blocks, self.sizes, self.is_before
  local low, high = 1, #blocks
  while low < high do
    local middle = math.floor((low + high) / 2)
    if is_before(blocks[middle][sizes[middle]], row) then low = middle + 1 else high = middle end
  end
  return low
end

-- The block that has the row, or would have it; the place in it.
local function locate(self, row)
  local number = block_of(self, row)
  return number, M.place_in(self.blocks[number], row, self.is_before)
end

local function rows_before(self, number)
  local count, sizes = 0, self.sizes
  for i = 1, number - 1 do count = count + sizes[i] end
  return count
end

local function split(self, number)
  local block, half, kept = self.blocks[number], {}, MOST / 2
  for i = kept + 1, #block do
    half[i - kept] = block[i]
    block[i] = nil
  end
  table.insert(self.blocks, number + 1, half)
  self.sizes[number] = kept
  table.insert(self.sizes, number + 1, #half)
end

--- Adds a row, which is not there.
---@param row wingman.row
---@return integer index  from 1
function methods:add(row)
  self.count = self.count + 1
  if not self.blocks[1] then
    self.blocks[1], self.sizes[1] = { row }, 1
    return 1
  end
  local number, place = locate(self, row)
  local index = rows_before(self, number) + place
  table.insert(self.blocks[number], place, row)
  self.sizes[number] = self.sizes[number] + 1
  if self.sizes[number] > MOST then split(self, number) end
  return index
end

--- Removes a row, which is there.
---@param row wingman.row
---@return integer index  that it had
function methods:remove(row)
  self.count = self.count - 1
  local number, place = locate(self, row)
  local block = self.blocks[number]
  assert(block[place] == row, "the row is not in the ranking")
  local index = rows_before(self, number) + place
  table.remove(block, place)
  self.sizes[number] = self.sizes[number] - 1
  if self.sizes[number] == 0 then
    table.remove(self.blocks, number)
    table.remove(self.sizes, number)
  end
  return index
end

--- The rows from one index to another, as far as they are there.
---@param first integer
---@param last number
---@return wingman.row[]
function methods:slice(first, last)
  local rows, before = {}, 0
  for _, block in ipairs(self.blocks) do
    for i = math.max(1, first - before), math.min(#block, last - before) do rows[#rows + 1] = block[i] end
    before = before + #block
    if before >= last then break end
  end
  return rows
end

return M
