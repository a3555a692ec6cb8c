--- Keys against another partition map: which of them would move, how evenly they would
--- lie, which connections that would take.
local cjson = require "cjson"
local core = require "wingman.core"
local escape = require "wingman.base.escape"
local sorted = require "wingman.base.sorted"
local text_table = require "wingman.text.table"
local view = require "wingman.inspect.view"

local M = {}

--- Keys that move, of each pair of nodes, that are named.
local EXAMPLES = 3

-- A file's text, and what it is as JSON: false and an error where it is none.
local function read(path)
  local file, err = io.open(path, "r")
  if not file then error("inspect.whatif: " .. err, 4) end
  local text = file:read "*a"
  file:close()
  return text, pcall(cjson.decode, text)
end

local function read_json(path)
  local _, ok, value = read(path)
  if not ok or type(value) ~= "table" then error(("inspect.whatif: %s is no JSON object: %s"):format(path, tostring(value)), 3) end
  return value
end

-- As PARTITION_MAP carries it.
local function from_wire(map)
  local result = { version = map.version, partition_count = map.partitionCount or #map.partitions, owners = {}, endpoints = {} }
  for _, partition in ipairs(map.partitions) do result.owners[partition.partitionId + 1] = partition.ownerNodeId end
  for _, node in ipairs(map.nodes or {}) do
    result.endpoints[node.nodeId] = type(node.endpoints) == "table" and node.endpoints.websocket or node.endpoint
  end
  return result
end

-- As client:partition_map() gives it and inspect.save_map writes it.
local function from_held(map)
  local result = { version = map.version, partition_count = map.partition_count or #map.owners, owners = {}, endpoints = {} }
  for p, owner in pairs(map.owners) do result.owners[p] = type(owner) == "string" and owner or nil end
  for _, node in ipairs(map.nodes or {}) do result.endpoints[node.id] = node.endpoint end
  return result
end

local function read_map(source)
  local map = type(source) == "string" and read_json(source) or source
  if type(map) == "table" and type(map.payload) == "table" then map = map.payload end
  local result
  if type(map) == "table" and type(map.partitions) == "table" then result = from_wire(map)
  elseif type(map) == "table" and type(map.owners) == "table" then result = from_held(map)
  else error("inspect.whatif: a partition map has `partitions` (as PARTITION_MAP) or `owners` (as client:partition_map())", 3) end
  local count = result.partition_count
  if type(count) ~= "number" or count < 1 or count > 65536 or count % 1 ~= 0 then
    error("inspect.whatif: the map has 1 to 65536 partitions", 3)
  end
  return result
end

local function keys_of_file(path)
  local text, ok, value = read(path)
  local keys = {}
  if ok and type(value) == "table" then
    for name, item in pairs(value) do keys[#keys + 1] = type(name) == "string" and name or tostring(item) end
  else
    for line in text:gmatch "[^\r\n]+" do keys[#keys + 1] = line end
  end
  return keys
end

local function keys_seen(client)
  local keys, known = {}, {}
  for _, name in ipairs(client.map_order) do
    for key in client:map(name):each_here() do
      if not known[key] then
        known[key] = true
        keys[#keys + 1] = key
      end
    end
  end
  return keys
end

-- Per node: partitions and keys, before and after.
local function tally(result, side, map, keys, hash)
  for p = 1, map.partition_count do
    local id = map.owners[p]
    if id then
      result.nodes[id] = result.nodes[id] or { partitions = 0, keys = 0, new_partitions = 0, new_keys = 0 }
      local field = side .. "partitions"
      result.nodes[id][field] = result.nodes[id][field] + 1
    end
  end
  local owners = {}
  for i, key in ipairs(keys) do
    local id = map.owners[core.partition(hash, key, map.partition_count) + 1]
    owners[i] = id or false
    if id then result.nodes[id][side .. "keys"] = result.nodes[id][side .. "keys"] + 1 end
  end
  return owners
end

-- The fullest node against the mean of those that own something: 1 is even.
local function skew(nodes, partitions, keys)
  local total, most, n = 0, 0, 0
  for _, node in pairs(nodes) do
    if node[partitions] > 0 then
      n, total, most = n + 1, total + node[keys], math.max(most, node[keys])
    end
  end
  return total > 0 and most / (total / n) or 1
end

local function moves_of(keys, before, after)
  local moved, by_pair, moves = 0, {}, {}
  for i, key in ipairs(keys) do
    if before[i] ~= after[i] then
      moved = moved + 1
      local pair = (before[i] or "nobody") .. "\0" .. (after[i] or "nobody")
      local move = by_pair[pair]
      if not move then
        move = { from = before[i] or "nobody", to = after[i] or "nobody", keys = 0, examples = {} }
        by_pair[pair], moves[#moves + 1] = move, move
      end
      move.keys = move.keys + 1
      if #move.examples < EXAMPLES then move.examples[#move.examples + 1] = key end
    end
  end
  table.sort(moves, function(a, b) return a.keys > b.keys or (a.keys == b.keys and a.from .. a.to < b.from .. b.to) end)
  return moved, moves
end

local function connections_of(result, client, map)
  local connected = {}
  for _, id in ipairs(client:connected_nodes()) do connected[id] = true end
  for id, node in pairs(result.nodes) do
    if node.new_partitions > 0 and not connected[id] then
      result.needed[#result.needed + 1] = { id = id, endpoint = map.endpoints[id] }
    end
  end
  for id in pairs(connected) do
    local node = result.nodes[id]
    if not node or node.new_partitions == 0 then result.idle[#result.idle + 1] = id end
  end
  table.sort(result.needed, function(a, b) return a.id < b.id end)
  table.sort(result.idle)
end

local function arrow(before, after)
  return before == after and text_table.count(before) or text_table.count(before) .. " -> " .. text_table.count(after)
end

local function node_rows(data)
  local rows = { { "node", "partitions", "keys" } }
  for _, id in ipairs(sorted.keys(data.nodes)) do
    local node = data.nodes[id]
    rows[#rows + 1] = { escape.plain(id), arrow(node.partitions, node.new_partitions), arrow(node.keys, node.new_keys) }
  end
  return rows
end

local function move_rows(data)
  local rows = { { "from", "to", "keys", "for example" } }
  for i, move in ipairs(data.moves) do
    if i > 20 then break end
    local examples = {}
    for k, key in ipairs(move.examples) do examples[k] = escape.plain(key) end
    rows[#rows + 1] = { escape.plain(move.from), escape.plain(move.to), move.keys, table.concat(examples, ", ") }
  end
  return rows
end

local function render(data, paint)
  local share = data.keys > 0 and data.moved / data.keys * 100 or 0
  local parts = { paint("heading", ("%s of %s keys move (%.1f %%), %s of %s partitions"):format(text_table.count(data.moved),
    text_table.count(data.keys), share, text_table.count(data.partitions_moved), text_table.count(data.partition_count))) .. "\n" }
  parts[2] = text_table.format(node_rows(data), { heading = true, indent = "  " })
  parts[3] = ("  fullest node against the mean: %.2f -> %.2f\n"):format(data.skew, data.new_skew)
  if #data.moves > 0 then parts[#parts + 1] = text_table.format(move_rows(data), { heading = true, indent = "  " }) end
  for _, node in ipairs(data.needed) do
    parts[#parts + 1] = paint("warning", ("  a connection to %s is needed (%s)"):format(escape.plain(node.id),
      node.endpoint and escape.plain(node.endpoint) or "the map has no endpoint")) .. "\n"
  end
  for _, id in ipairs(data.idle) do
    parts[#parts + 1] = ("  %s would own nothing\n"):format(escape.plain(id))
  end
  return table.concat(parts)
end

local function partitions_moved(before, after)
  if before.partition_count ~= after.partition_count then return after.partition_count end
  local n = 0
  for p = 1, after.partition_count do
    if before.owners[p] ~= after.owners[p] then n = n + 1 end
  end
  return n
end

--- Compares another partition map with the one in use, for the keys in the local copies of
--- the client's maps or those of a file: moved, moves (from, to, keys, examples), nodes
--- (by id: partitions, keys, new_partitions, new_keys), skew and new_skew (the fullest
--- node against the mean), needed (connections that are not there), idle (connected
--- nodes that would own nothing).
---@param client wingman.client
---@param map string|table  a file with JSON, or the map: as PARTITION_MAP or as client:partition_map()
---@param key_file string|nil  a key a line, or JSON: a list of keys or an object by key
---@return table
function M.of(client, map, key_file)
  local held = client:partition_map()
  if not held then error("inspect.whatif: there is no partition map to compare with: the client is not connected", 2) end
  local before, after = from_held(held), read_map(map)
  local keys = key_file and keys_of_file(key_file) or keys_seen(client)
  local hash = client:router_stats().hash
  local result = { keys = #keys, partition_count = after.partition_count, nodes = {}, needed = {}, idle = {} }
  local old, new = tally(result, "", before, keys, hash), tally(result, "new_", after, keys, hash)
  result.moved, result.moves = moves_of(keys, old, new)
  result.partitions_moved = partitions_moved(before, after)
  result.skew = skew(result.nodes, "partitions", "keys")
  result.new_skew = skew(result.nodes, "new_partitions", "new_keys")
  connections_of(result, client, after)
  return view.of(result, render)
end

return M
