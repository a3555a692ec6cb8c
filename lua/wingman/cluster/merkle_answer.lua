--- What a node answers about a path of a map's Merkle tree: the buckets below it, or the
--- records of a leaf. Servers are not believed: what is used of an answer is checked here.
local core = require "wingman.core"

local M = {}

--- Bytes of a path: a partition's number, a slash and the digits of a hash, with
--- room to spare. Children are longer than their parent, so every walk ends.
local PATH_MAX = 16

--- A function that recognises the answer about a path.
---@param map_name string
---@param path string
---@return fun(message: table): boolean
function M.matches(map_name, path)
  return function(message)
    local payload = message.payload
    return (message.type == "SYNC_RESP_BUCKETS" or message.type == "SYNC_RESP_LEAF")
      and type(payload) == "table" and payload.mapName == map_name and payload.path == path
  end
end

--- The paths of the buckets below a path, sorted, each with its hash. A bucket is named by
--- one digit or by its whole path.
---@param path string
---@param buckets any  as a node sent them
---@return string[]|nil paths, table<string, any>|string hashes_or_wrong
function M.children(path, buckets)
  if type(buckets) ~= "table" then return nil, "the buckets are no map" end
  local paths, hashes = {}, {}
  for digit, hash in pairs(buckets) do
    if type(digit) ~= "string" or digit == "" then return nil, "a bucket without a digit" end
    local child = #digit > 1 and digit or path .. digit
    if #child <= #path or #child > PATH_MAX then return nil, ("the bucket '%s' cannot be there"):format(digit:sub(1, 32)) end
    paths[#paths + 1], hashes[child] = child, hash
  end
  table.sort(paths)
  return paths, hashes
end

local function is_count(value) return type(value) == "number" and value >= 0 and value < math.huge end

-- None, or milliseconds; more of them than a double counts exactly are a cdata.
local function is_time_to_live(value)
  return value == nil or value == core.null or (type(value) == "number" and value == value) or type(value) == "cdata"
end

local function is_record(record)
  local time = type(record) == "table" and record.timestamp
  return type(time) == "table" and is_count(time.millis) and is_count(time.counter) and type(time.nodeId) == "string"
    and is_time_to_live(record.ttlMs)
end

local function is_list(value)
  if type(value) ~= "table" then return false end
  local count = 0
  for _ in pairs(value) do count = count + 1 end
  return count == #value
end

--- The records of a leaf: { key, record } each.
---@param records any  as a node sent them
---@return { key: string, record: table }[]|nil records, string|nil wrong
function M.records(records)
  if not is_list(records) then return nil, "the records of a leaf are no array" end
  for _, entry in ipairs(records) do
    if type(entry) ~= "table" or type(entry.key) ~= "string" or not is_record(entry.record) then
      return nil, "a record in a leaf is none"
    end
  end
  return records
end

return M
