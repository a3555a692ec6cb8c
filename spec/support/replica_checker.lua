--- What a replica has to show, computed from what the nodes hold and from the partition map alone, by another
--- client and without the core's replica.
local core = require "wingman.core"
local difference = require("spec.core.support").difference

local M = {}

local function is_later(a, b)
  local x, y = a.timestamp, b.timestamp
  if x.millis ~= y.millis then return x.millis > y.millis end
  if x.counter ~= y.counter then return x.counter > y.counter end
  return x.nodeId > y.nodeId
end

--- The record of each key that a replica has to show; removed keys are not in it.
---@param observer wingman.client  connected to every node
---@param name string
---@return table<string, table> records
function M.expected(observer, name)
  local is_v2, partition_map, newest, owned = observer:dialect() == "v2", observer:partition_map(), {}, {}
  for _, id in ipairs(observer:connected_nodes()) do
    for key, record in pairs(assert(observer:holdings(id, name))) do
      local owner = partition_map and partition_map.owners[observer:partition_of(key) + 1]
      if owner == id then owned[key] = record end
      if not newest[key] or is_later(record, newest[key]) then newest[key] = record end
    end
  end
  local shown = {}
  for key, record in pairs(newest) do
    if is_v2 and owned[key] then record = owned[key] end
    if record.value ~= core.null then shown[key] = record end
  end
  return shown
end

--- The keys at which a replica differs, with how; nil when there are none.
---@param map wingman.map   a replica
---@param expected table    of `expected`
---@param lost table<string, boolean>|nil  keys that count as right when the replica alone has them
---@return table<string, string>|nil
function M.differences(map, expected, lost)
  local found, seen = {}, {}
  for key, value in map:each() do
    assert(not seen[key], key .. " is there twice")
    seen[key] = true
    local record, held = expected[key], map:record(key)
    if not record then
      if not (lost and lost[key]) then found[key] = "only in the replica" end
    else
      local time = record.timestamp
      local is_same_time = held.millis == time.millis and held.counter == time.counter and held.node == time.nodeId
      found[key] = difference(value, record.value, key) or not is_same_time and "another time" or nil
    end
  end
  for key in pairs(expected) do
    if not seen[key] then found[key] = "only at the nodes" end
  end
  return next(found) and found
end

return M
