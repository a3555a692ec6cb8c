--- What every node of a cluster holds, in the checker's words.
local core = require "wingman.core"
local history_module = require "chaos.history"

local M = {}

local function record_of(value, removed, millis, counter, node)
  local op = not removed and history_module.written_by(value) or nil
  local raw
  if not removed and not op then raw = type(value) == "table" and tostring(value.op) or tostring(value) end
  return { op = op, removed = removed, time = history_module.time(millis, counter, node), raw = raw }
end

-- The simulated cluster tells its memory itself.
local function from_simulator(cluster, map_name, state)
  local nodes, err = cluster:dump(map_name)
  if not nodes then return nil, err end
  for id, records in pairs(nodes) do
    for key, r in pairs(records) do
      state.nodes[id][key] = record_of(r.value, r.tombstone == true, r.millis, r.counter, r.node)
    end
  end
  return true
end

-- A real node is asked for its whole tree.
local function from_wire(cluster, reader, map_name, state)
  for _, node in ipairs(cluster.nodes) do
    local records, err = reader:holdings(node.id, map_name)
    if not records then return nil, err end
    for key, r in pairs(records) do
      local t = r.timestamp
      state.nodes[node.id][key] = record_of(r.value, r.value == core.null, t.millis, t.counter, t.nodeId)
    end
  end
  return true
end

--- Reads maps back from every node.
---@param cluster table
---@param reader wingman.client  connected to every node
---@param map_names string[]
---@return chaos.state|nil, wingman.error|nil
function M.state(cluster, reader, map_names)
  local state = { nodes = {}, owners = {} }
  for _, node in ipairs(cluster.nodes) do state.nodes[node.id] = {} end
  for _, name in ipairs(map_names) do
    local ok, err
    if cluster.kind == "sim" then ok, err = from_simulator(cluster, name, state)
    else ok, err = from_wire(cluster, reader, name, state) end
    if not ok then return nil, err end
  end
  local map = reader:partition_map()
  setmetatable(state.owners, { __index = function(_, key) return map and map.owners[reader:partition_of(key) + 1] end })
  return state
end

--- What the simulated nodes say of what reached them; nil for others.
---@return chaos.arrival[]|nil
function M.arrivals(cluster)
  if cluster.kind ~= "sim" then return nil end
  local all = {}
  for _, node in ipairs(cluster.nodes) do
    for _, a in ipairs(assert(cluster:arrivals(node.id))) do
      all[#all + 1] = {
        node = node.id, key = a.key, time = history_module.time(a.millis, a.counter, a.writer), session = a.session,
        foreign = a.foreign, refused = a.refused,
      }
    end
  end
  return all
end

return M
