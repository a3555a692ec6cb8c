--- A replica against what it has to show.
local core = require "wingman.core"
local truth = require "converge.truth"

local M = {}

-- What the replica shows of a key, as the nodes' records are noted.
local function shown_record(map, key, is_real)
  local bytes, time = map.core_map:encoded(key), map:record(key)
  return { bytes = is_real and truth.canonical(core.decode(bytes)) or bytes, millis = time.millis, counter = time.counter, node = time.node }
end

--- The keys that a replica says that nodes have lost, and that it shows on.
---@param map wingman.map
---@return table<string, boolean>
function M.lost_keys(map)
  local keys, core_map = {}, map.core_map
  local position, key = core_map:replica_next_lost(0)
  while position do
    keys[key] = true
    position, key = core_map:replica_next_lost(position)
  end
  return keys
end

--- How a replica differs: texts by key; none when it is right. Keys that are lost may be there beyond what is expected,
--- if a node has come up empty; the second result is how many are.
---@param map wingman.map
---@param expected table<string, converge.held>
---@param options { is_real: boolean, may_have_lost: boolean }
---@return table<string, string> differences, integer lost
function M.run(map, expected, options)
  local lost = M.lost_keys(map)
  local differences, seen, kept, listed = {}, {}, 0, 0
  for key in map:each() do
    if seen[key] then differences[key] = "there twice" end
    seen[key] = true
    local record = expected[key]
    if record then differences[key] = differences[key] or truth.difference(shown_record(map, key, options.is_real), record)
    elseif lost[key] and options.may_have_lost then kept = kept + 1
    else differences[key] = lost[key] and "lost, though no node lost anything" or "only in the replica" end
  end
  for key in pairs(expected) do
    if not seen[key] then differences[key] = "only at the nodes" end
  end
  for key in pairs(lost) do
    listed = listed + 1
    if expected[key] then differences[key] = "said to be lost, and held" end
  end
  local counted = map.copy:status().lost
  if counted ~= listed then differences["status().lost"] = ("%d, and %d keys are listed"):format(counted, listed) end
  return differences, kept
end

--- How what a watch was told last differs from what is shown.
---@param map wingman.map
---@param told table<string, string>  canonical values
---@return table<string, string> differences
function M.told(map, told)
  local differences, seen = {}, {}
  for key, value in map:each() do
    seen[key] = true
    local shown = truth.canonical(value)
    if told[key] ~= shown then differences[key] = told[key] and ("told %s, shows %s"):format(told[key], shown) or "never told" end
  end
  for key in pairs(told) do
    if not seen[key] then differences[key] = "told, and not shown" end
  end
  return differences
end

return M
