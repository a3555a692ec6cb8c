--- The hashes of Merkle trees, computed from the records as each server computes them, slowly and from the
--- whole: what specs compare others with.
local bit = require "bit"

local M = {}

local PARTITIONS = 271

local function u32(v) return tonumber(v % 2 ^ 32) end
local function times(a, b) return tonumber((0ULL + a) * b % 2 ^ 32) end
local function xor_shift(h, by) return u32(bit.bxor(0ULL + h, bit.rshift(0ULL + h, by))) end

--- The finalizer of MurmurHash3.
function M.mix(h) return xor_shift(times(xor_shift(times(xor_shift(h, 16), 0x85ebca6b), 13), 0xc2b2ae35), 16) end

--- What head makes of several hashes.
---@param hashes integer[]
function M.combine(hashes)
  local sum = 0
  for _, hash in pairs(hashes) do sum = u32(sum + M.mix(hash)) end
  return sum
end

-- The tree of one partition, place by place; [path] = hash.
local function tree(items)
  local nodes = {}
  for _, item in pairs(items) do
    local path = ("%08x"):format(item.key_hash):sub(1, 3)
    nodes[path] = nodes[path] or {}
    table.insert(nodes[path], item.item)
  end
  for path, list in pairs(nodes) do nodes[path] = M.combine(list) end
  for depth = 3, 1, -1 do
    local parents = {}
    for path, hash in pairs(nodes) do
      if #path == depth then
        local parent = path:sub(1, depth - 1)
        parents[parent] = parents[parent] or {}
        table.insert(parents[parent], hash)
      end
    end
    for path, list in pairs(parents) do nodes[path] = M.combine(list) end
  end
  return nodes
end

--- What head answers for each path: over the trees of all partitions.
---@param items { key_hash: integer, item: integer }[]
---@return table<string, integer> hashes  by path
function M.mixed(items)
  local by_partition, answers = {}, { [""] = 0 }
  for _, item in pairs(items) do
    local partition = item.key_hash % PARTITIONS
    by_partition[partition] = by_partition[partition] or {}
    table.insert(by_partition[partition], item)
  end
  for _, list in pairs(by_partition) do
    for path, hash in pairs(tree(list)) do answers[path] = u32((answers[path] or 0) + M.mix(hash)) end
  end
  return answers
end

--- What 0.11 and 2.2.0 answer.
---@param items { key_hash: integer, item: integer }[]
---@return table<string, integer> hashes  by path
function M.plain(items)
  local answers = { [""] = 0 }
  for _, item in pairs(items) do
    local path = ("%08x"):format(item.key_hash):sub(1, 3)
    for depth = 0, 3 do
      local at = path:sub(1, depth)
      answers[at] = u32((answers[at] or 0) + item.item)
    end
  end
  return answers
end

return M
