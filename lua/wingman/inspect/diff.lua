--- The local copy of a map against what each node holds.
local escape = require "wingman.base.escape"
local holdings = require "wingman.inspect.holdings"
local printer = require "wingman.text.printer"
local quantities = require "wingman.text.quantities"
local text_table = require "wingman.text.table"
local view = require "wingman.inspect.view"

local M = {}

--- Keys of one kind that are shown; all are in the lists.
local MAX_SHOWN = 10
--- How long a replica may take to hear of what was read (seconds), before its nodes are read once more.
local PATIENCE = 5

local function is_equal(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b or a ~= a and b ~= b end
  for key, value in next, a do
    if not is_equal(value, rawget(b, key)) then return false end
  end
  for key in next, b do
    if rawget(a, key) == nil then return false end
  end
  return true
end

-- Where the copy and the nodes differ: by key, what is here and what is there.
local function differences(map, held)
  local shown, found, here = holdings.shown(map.client, held), {}, {}
  for key, value in map:each_here() do
    here[key] = true
    local there = shown[key]
    if not there then found[key] = { kind = "only_here", here = value }
    elseif not is_equal(value, there.record.value) then
      found[key] = { kind = "differ", here = value, there = there.record.value, node = there.node, time = there.record.timestamp }
    end
  end
  for key, there in pairs(shown) do
    if not here[key] then found[key] = { kind = "only_there", there = there.record.value, node = there.node, time = there.record.timestamp } end
  end
  return found
end

local function is_same_time(a, b)
  if not a or not b then return a == b end
  return a.millis == b.millis and a.counter == b.counter and a.nodeId == b.nodeId
end

-- What differs in two readings in the same way; and how many keys had changed between them.
local function lasting(first, second)
  local found, changed = {}, 0
  for key, one in pairs(first) do
    local again = second[key]
    if again and again.kind == one.kind and is_same_time(one.time, again.time) then found[key] = again else changed = changed + 1 end
  end
  for key in pairs(second) do changed = changed + (first[key] and 0 or 1) end
  return found, changed
end

-- Why a key is in a replica alone.
local function reason(map, key)
  if not map.copy then return nil end
  local _, is_own, is_lost = map.core_map:replica_where(key)
  return is_own and "own write" or is_lost and "lost by its node" or nil
end

-- Whether a node has business with a partition: on 0.11 backups hold records, too.
local function is_placed(partition_map, partition, id, is_0_11)
  if partition_map.owners[partition] == id then return true end
  for _, backup in ipairs(is_0_11 and partition_map.backups[partition] or {}) do
    if backup == id then return true end
  end
  return false
end

-- What nodes hold of partitions that are not theirs.
local function misplaced(client, held)
  local list, map, is_0_11 = {}, client:partition_map(), client:dialect() == "0.11"
  for _, id in ipairs(map and held.nodes or {}) do
    for key, record in pairs(held.records[id]) do
      local partition = client:partition_of(key) + 1
      if not holdings.is_tombstone(record) and not is_placed(map, partition, id, is_0_11) then
        list[#list + 1] = { key = key, node = id, owner = map.owners[partition] or nil, there = record.value }
      end
    end
  end
  return list
end

local function by_key(a, b)
  if a.key ~= b.key then return a.key < b.key end
  return (a.node or "") < (b.node or "")
end

local KINDS = { "differ", "only_here", "only_there", "not_owned" }

-- Rows of one kind: what it is, the key, and what is here and there.
local function rows_of(data, kind, show)
  local rows, words = {}, { differ = "differs", only_here = "only here", only_there = "only there", not_owned = "not its own" }
  for i = 1, math.min(#data[kind], MAX_SHOWN) do
    local one = data[kind][i]
    local there = one.there ~= nil and show:format(one.there) or "-"
    local at = kind == "not_owned" and ("%s (owner: %s)"):format(one.node, one.owner or "nobody") or one.node or one.reason or "-"
    rows[i] = { words[kind], escape.plain(one.key), escape.plain(at), kind ~= "not_owned" and one.here ~= nil and show:format(one.here) or "-", there }
  end
  return rows
end

local function listed(data, paint, width)
  local show = printer.new { width = function() return 100000 end }
  local rows, more = { { "what", "key", "node", "here", "there" } }, {}
  for _, kind in ipairs(KINDS) do
    for _, row in ipairs(rows_of(data, kind, show)) do rows[#rows + 1] = row end
    if #data[kind] > MAX_SHOWN then more[#rows] = #data[kind] - MAX_SHOWN end
  end
  local lines, i = {}, 0
  if #rows == 1 then return lines end
  for line in text_table.format(rows, { heading = true, indent = "  " }):gmatch "[^\n]+" do
    i = i + 1
    line = text_table.clip(line, width)
    lines[#lines + 1] = i == 1 and paint("heading", line) or line
    if more[i] then lines[#lines + 1] = paint("comment", ("  %s more"):format(text_table.count(more[i]))) end
  end
  return lines
end

local function summary(data)
  local copy = data.state and ("replica (%s)"):format(data.state) or "local copy, which is no replica,"
  local count = text_table.count
  return ("%s against %s: %s differ, %s only here, %s only there; %s held by a node that does not own %s"):format(copy,
    quantities.plural(#data.nodes, "node"), count(#data.differ), count(#data.only_here), count(#data.only_there), count(#data.not_owned),
    #data.not_owned == 1 and "it" or "them")
end

local function render(data, paint, width)
  local is_equal_everywhere = #data.differ + #data.only_here + #data.only_there == 0
  local lines = { paint(is_equal_everywhere and #data.missing == 0 and "good" or "warning", summary(data)) }
  if #data.missing > 0 then
    lines[#lines + 1] = paint("warning", "not compared with what is not connected: " .. escape.plain(table.concat(data.missing, ", ")))
  end
  if data.changed > 0 then
    lines[#lines + 1] = paint("comment", ("%s changed while the nodes were read, and not counted"):format(quantities.plural(data.changed, "key")))
  end
  for _, line in ipairs(listed(data, paint, width)) do lines[#lines + 1] = line end
  return table.concat(lines, "\n") .. "\n"
end

---@class wingman.inspect.difference
---@field key string  that differs
---@field here any          the value in the local copy
---@field there any         the value at the nodes
---@field node string|nil   that holds it
---@field owner string|nil  the node that owns the key, in not_owned
---@field reason string|nil  why it is only here, of a replica: "own write", which was not seen back yet, or "lost by its node"

---@class wingman.inspect.diff
---@field map string  its name
---@field state string|nil      of the replica; nil: the map is none
---@field nodes string[]        that were read
---@field missing string[]      that own partitions and are not connected
---@field keys integer          of the nodes
---@field differ wingman.inspect.difference[]      another value here than there
---@field only_here wingman.inspect.difference[]  held by the local copy, and by no node
---@field only_there wingman.inspect.difference[]  held by a node, and not by the local copy
---@field not_owned wingman.inspect.difference[]   held by a node that does not own them, and on 0.11 does not back them up
---@field changed integer       keys that changed while the nodes were read, and are in none of these lists

--- Compares the values in the local copy of a map with those that each connected node holds (client:holdings). Nodes are
--- not read at one moment: when something differs, they are read once more, and only what differs both times in the same way
--- counts. Reads the whole map from every node. Waits.
---@param map wingman.map
---@return wingman.inspect.diff|nil, wingman.error|nil
function M.of(map)
  local client = map.client
  local held, err = holdings.read(client, map.name)
  if not held then return nil, err end
  local found, changed = differences(map, held), 0
  if next(found) then
    if map.copy then map.copy:synced(PATIENCE) end -- what it is not equal to then is a difference
    held, err = holdings.read(client, map.name)
    if not held then return nil, err end
    found, changed = lasting(found, differences(map, held))
  end
  local data = { map = map.name, nodes = held.nodes, missing = held.missing, differ = {}, only_here = {}, only_there = {},
    not_owned = misplaced(client, held), changed = changed, keys = 0, state = map.copy and map.copy:status().state or nil }
  for _ in pairs(holdings.shown(client, held)) do data.keys = data.keys + 1 end
  for key, one in pairs(found) do
    table.insert(data[one.kind], { key = key, here = one.here, there = one.there, node = one.node,
      reason = one.kind == "only_here" and reason(map, key) or nil })
  end
  for _, kind in ipairs(KINDS) do table.sort(data[kind], by_key) end
  return view.of(data, render)
end

return M
