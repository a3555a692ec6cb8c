--- The replicas of a client, as parts of its loop.
local loop = require "wingman.loop"

---@class wingman.client
---@field copies table<string, wingman.copy>  by map
local methods = {}

-- Whether something may have changed about the nodes of the replicas.
local function is_turned(self)
  local turns = self.core:replica_news()
  local changes = self.node_changes or 0
  if turns == self.seen_turns and changes == self.seen_node_changes then return false end
  self.seen_turns, self.seen_node_changes = turns, changes
  return true
end

--- Internal: notes that nodes have come or gone, or own other partitions.
function methods:note_nodes() self.node_changes = (self.node_changes or 0) + 1 end

--- Internal: in each turn of the loop, and each time another copy is the first one. True when something is left, as the
--- deadline (of loop.now) has come.
---@param deadline number|nil
---@return boolean left
function methods:work_on_copies(deadline)
  local copies, turned, left = {}, is_turned(self), false
  for _, copy in pairs(self.copies) do
    copies[#copies + 1] = copy
    copy.is_turned = copy.is_turned or turned
  end
  self.copy_turns = (self.copy_turns or 0) + 1
  for i = 1, #copies do
    if self.closed then return false end
    if left and loop.now() >= deadline then break end
    left = copies[(self.copy_turns + i) % #copies + 1]:work(deadline) or left
  end
  return left
end

return methods
