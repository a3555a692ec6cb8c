--- What the nodes of a cluster hold of a map, and what a replica has to show, without any code that replicas use.
local cjson = require "cjson"
local core = require "wingman.core"

local M = {}

--- Bytes of a value that a difference shows.
local SHOWN = 40

---@class converge.held
---@field bytes string|nil   the value's MessagePack; nil: a tombstone
---@field millis integer
---@field counter integer
---@field node string

local function unhex(text)
  return (text:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

local NULL = core.encode(core.null)

local function held(bytes, millis, counter, node)
  return { bytes = bytes ~= NULL and bytes or nil, millis = millis, counter = counter, node = node }
end

-- The simulated nodes say what is in their memory.
local function dumped(cluster, name)
  local answer = assert(cluster:command("dump " .. name))
  for _, records in pairs(answer.nodes) do
    for key, r in pairs(records) do
      records[key] = held(r.tombstone ~= true and unhex(r.value_hex) or nil, r.millis, r.counter, r.node)
    end
  end
  return answer.nodes
end

-- Real nodes are asked leaf by leaf. They encode a value anew for each answer.
local function asked(cluster, observer, name)
  local nodes = {}
  for _, node in ipairs(cluster.nodes) do
    local records = {}
    for key, r in pairs(assert(observer:holdings(node.id, name))) do
      records[key] = held(M.canonical(r.value), r.timestamp.millis, r.timestamp.counter, r.timestamp.nodeId)
    end
    nodes[node.id] = records
  end
  return nodes
end

--- What each node holds, by its id and by key.
---@param cluster table
---@param observer wingman.client  that is connected to every node
---@param name string
---@return table<string, table<string, converge.held>>
function M.holdings(cluster, observer, name)
  if cluster.kind == "sim" then return dumped(cluster, name) end
  return asked(cluster, observer, name)
end

local function sorted_pairs(value)
  local parts = {}
  for k, v in pairs(value) do parts[#parts + 1] = M.canonical(k) .. "=" .. M.canonical(v) end
  table.sort(parts)
  return "{" .. table.concat(parts, ",") .. "}"
end

--- A decoded value as text: two values have the same text when they have the same types and contents.
---@param value any
---@return string
function M.canonical(value)
  if value == core.null then return NULL end
  if type(value) == "table" then return sorted_pairs(value) end
  if type(value) == "number" then return ("%.17g"):format(value) end
  return type(value) .. " " .. (type(value) == "string" and cjson.encode(value) or tostring(value))
end

--- The first bytes of a value, in hexadecimal.
---@param bytes string|nil
---@return string
function M.printable(bytes)
  if not bytes then return "none" end
  return (bytes:sub(1, SHOWN):gsub(".", function(c) return ("%02x"):format(c:byte()) end)) .. (#bytes > SHOWN and "..." or "")
end

--- Whether two readings of the nodes are alike.
function M.is_same(a, b)
  for node, records in pairs(a) do
    for key, r in pairs(records) do
      local other = b[node][key]
      if not other or M.difference(r, other) then return false end
    end
    for key in pairs(b[node]) do
      if not records[key] then return false end
    end
  end
  return true
end

--- How two records differ; nil: not at all.
---@param a converge.held
---@param b converge.held
---@return string|nil
function M.difference(a, b)
  if a.bytes ~= b.bytes then return ("another value: %s, %s"):format(M.printable(a.bytes), M.printable(b.bytes)) end
  if a.millis ~= b.millis or a.counter ~= b.counter or a.node ~= b.node then return "another time" end
end

local function is_later(a, b)
  if a.millis ~= b.millis then return a.millis > b.millis end
  if a.counter ~= b.counter then return a.counter > b.counter end
  return a.node > b.node
end

--- What a replica has to show of each key: on v2 the owner's record, else the newest that any node holds; on 0.11 the
--- newest. Removed keys are not in it.
---@param holdings table<string, table<string, converge.held>>
---@param owner_of fun(key: string): string|nil  nil where there is no partition map
---@param is_v2 boolean
---@return table<string, converge.held>
function M.shown(holdings, owner_of, is_v2)
  local shown = {}
  for _, records in pairs(holdings) do
    for key, r in pairs(records) do
      if not shown[key] or is_later(r, shown[key]) then shown[key] = r end
    end
  end
  for key in pairs(is_v2 and shown or {}) do
    local owned = (holdings[owner_of(key)] or {})[key]
    if owned then shown[key] = owned end
  end
  for key, r in pairs(shown) do
    if not r.bytes then shown[key] = nil end
  end
  return shown
end

return M
