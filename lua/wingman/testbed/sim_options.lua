--- The options of a simulated cluster: of sim.start, of a URL as sim://3?seed=2, and of `wingman sim`.
local M = {}

--- The hashes that a node may have.
local HASHES = { fnv1a = true, xxh64 = true }
--- Server 2.2.0: 200 events of one batch arrived, of 1,000 some 230 to 470.
local EVENT_QUEUE_V2 = 256
--- How far apart the nodes of a real 0.11 cluster of three were seen to change their maps.
local SPREAD_0_11_MS = 150
--- Head: ERROR 429 after 40,000 operations at once, and 20,000 in each second.
local RATE_HEAD = 20000

-- The pieces of a text between its commas.
local function pieces(text)
  local list = {}
  for piece in (text .. ","):gmatch "(.-)," do list[#list + 1] = piece end
  return list
end

local function are_hashes(text)
  for _, name in ipairs(pieces(text)) do
    if not HASHES[name] then return false end
  end
  return true
end

local function are_ports(list)
  for _, port in ipairs(list) do
    if type(port) ~= "number" or port % 1 ~= 0 or port < 0 or port > 65535 then return false end
  end
  return #list > 0
end

---@type table<string, wingman.option_rule>
M.RULES = {
  nodes = { type = "number", whole = true, min = 1, max = 64, default = 3, about = "number of nodes" },
  dialect = { type = "string", one_of = { "v2", "0.11" }, default = "v2", about = "the server family that answers" },
  release = { type = "string", one_of = { "2.2.0", "head" },
    about = "v2: the release that is imitated; head is the newest source (August 2026) with disk storage; default 2.2.0" },
  hash = { type = "string", default = "fnv1a", is_right = are_hashes, expected = "fnv1a or xxh64, or one for each node with commas between them,",
    about = "hash of keys: fnv1a or xxh64, or one for each node with commas between them" },
  secret = { type = "string", secret = true, is_right = function(text) return text ~= "" end, expected = "a text", about = "HS256 secret of the tokens; default: random" },
  ports = { type = "table", is_right = are_ports, expected = "a list of ports", about = "a list of client ports, one for each node; default: free ports" },
  partitions = { type = "number", whole = true, min = 1, max = 1024, default = 271, about = "number of partitions" },
  rate = { type = "number", min = 0, max = 2 ^ 32 - 1, about = "v2: operations a second per connection before ERROR 429; 0: no limit; default: none, on head 20,000" },
  event_queue = { type = "number", whole = true, min = 0, max = 2 ^ 32 - 1,
    about = "v2: events that may wait for one connection, those beyond are dropped; 0: any number; default 256" },
  seed = { type = "number", whole = true, min = 0, is_right = function(seed) return seed < 2 ^ 53 end, expected = "a whole number from 0, below 2^53,",
    default = 1, about = "seed of all random choices" },
  detection_ms = { type = "number", whole = true, min = 0, max = 3600000, default = 50, about = "time that the other nodes take to notice a killed node" },
  spread_ms = { type = "number", whole = true, min = 0, max = 60000, about = "0.11: after a membership change each node updates its partition map at a random moment within this time; default 150" },
  no_auth = { type = "boolean", about = "v2: ask for no token" },
  sink = { type = "boolean", about = "store nothing, only acknowledge: for measuring load generators" },
}

--- The ports in a text.
---@param text string  "9000,9001"
---@return integer[]|nil, string|nil wrong
function M.read_ports(text)
  local ports = {}
  for i, piece in ipairs(pieces(text)) do ports[i] = tonumber(piece) or piece end
  if are_ports(ports) then return ports end
  return nil, ("ports with commas between them are expected, got '%s'"):format(text)
end

-- One hash is that of all nodes. Nil when there are neither one nor as many as nodes.
local function hashes_of(options)
  local hashes = pieces(options.hash)
  for i = 2, #hashes == 1 and options.nodes or 0 do hashes[i] = hashes[1] end
  return #hashes == options.nodes and hashes or nil
end

-- What only v2 nodes have, and what only those of 0.11 have; the name of the option and why it is wrong.
local function find_foreign(options, hashes)
  if options.dialect == "v2" then
    for _, hash in ipairs(hashes) do
      if hash ~= "fnv1a" then return "hash", "v2 servers always use fnv1a" end
    end
    if options.spread_ms then return "spread_ms", "v2 nodes change their maps together" end
  elseif options.release then
    return "release", "only v2 has several"
  elseif options.event_queue then
    return "event_queue", "only v2 servers drop events"
  elseif (options.rate or 0) > 0 then
    return "rate", "only v2 servers limit the rate"
  end
end

--- Completes options that were checked by the rules: what stands for those that depend on others, and `hashes`, that of
--- each node. Nil, the name of an option that does not go with another one, and why.
---@param options wingman.sim.options
---@return table|nil completed, string|nil name, string|nil wrong
function M.complete(options)
  local hashes = hashes_of(options)
  if not hashes then return nil, "hash", "one hash is expected, or one for each node" end
  local name, wrong = find_foreign(options, hashes)
  if name then return nil, name, wrong end
  if options.ports and #options.ports ~= options.nodes then return nil, "ports", "one port for each node is expected" end
  local completed = { hashes = hashes }
  for key, value in pairs(options) do completed[key] = value end
  if options.dialect == "v2" then completed.event_queue = options.event_queue or EVENT_QUEUE_V2 end
  if options.release == "head" then completed.rate = options.rate or RATE_HEAD end
  if options.dialect == "0.11" then completed.spread_ms = options.spread_ms or SPREAD_0_11_MS end
  return completed
end

return M
