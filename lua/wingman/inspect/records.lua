--- The records of a map: with their times, and as they change.
local core = require "wingman.core"
local escape = require "wingman.base.escape"
local holdings = require "wingman.inspect.holdings"
local printer = require "wingman.text.printer"
local quantities = require "wingman.text.quantities"
local text_table = require "wingman.text.table"
local view = require "wingman.inspect.view"

local M = {}

--- How many records are listed by default.
local MAX_LISTED = 50

-- With `*` (any characters) or `?` (one character) a pattern for the whole key, else a
-- part of it. No Lua pattern: keys are full of hyphens.
local function matcher(pattern)
  if pattern == nil or pattern == "" then return function() return true end end
  if not pattern:find "[*?]" then return function(key) return key:find(pattern, 1, true) ~= nil end end
  local lua_pattern = "^" .. pattern:gsub("[%^%$%(%)%%%.%[%]%+%-]", "%%%0"):gsub("%*", ".*"):gsub("%?", ".") .. "$"
  return function(key) return key:find(lua_pattern) ~= nil end
end

local function time_text(millis) return os.date("%Y-%m-%d %H:%M:%S", math.floor(millis / 1000)) .. (".%03d"):format(millis % 1000) end

local NO_REPLICA = "from the local copy, which is no replica: what this client wrote or heard of"

local function source_text(list)
  if list.state then return ("from the replica (%s)"):format(list.state) end
  if list.source == "copy" then return NO_REPLICA end
  local text = ("from %s, read now"):format(quantities.plural(#list.nodes, "node"))
  if #list.missing == 0 then return text end
  return text .. "; not connected, and missing here: " .. escape.plain(table.concat(list.missing, ", "))
end

local function page(list, paint, width, first, most)
  local source = first == 1 and paint("comment", text_table.clip(source_text(list), width)) .. "\n" or ""
  if #list == 0 then return source .. paint("comment", "no records") .. "\n" end
  local show = printer.new { width = function() return 100000 end }
  local rows = { list.source == "cluster" and { "key", "written at", "counter", "by", "held by", "value" }
    or { "key", "written at", "counter", "by", "value" } }
  for i = first, math.min(#list, first + most - 1) do
    local record = list[i]
    local cells = { escape.plain(record.key), time_text(record.millis), tostring(record.counter), record.own and "this client" or escape.plain(record.node) }
    if record.holder then cells[5] = escape.plain(record.holder) end
    cells[#cells + 1] = show:format(record.value)
    rows[#rows + 1] = cells
  end
  local lines = {}
  for line in text_table.format(rows, { heading = true }):gmatch "[^\n]+" do lines[#lines + 1] = text_table.clip(line, width) .. "\n" end
  lines[1] = paint("heading", lines[1]:sub(1, -2)) .. "\n"
  return source .. table.concat(lines)
end

local function render(list, paint, width)
  local text = page(list, paint, width, 1, MAX_LISTED)
  local left = list.total - math.min(#list, MAX_LISTED)
  return left > 0 and text .. paint("comment", ("%s more"):format(text_table.count(left))) .. "\n" or text
end

-- The keys that an iterator gives and that match, sorted.
local function matching(pattern, iterator, state, start)
  local matches, list = matcher(pattern), {}
  for key in iterator, state, start do
    if matches(key) then list[#list + 1] = key end
  end
  table.sort(list)
  return list
end

local function of_copy(map, pattern, limit)
  local keys = matching(pattern, map:each_here())
  local list = { total = #keys, source = "copy", state = map.copy and map.copy:status().state or nil }
  for i = 1, math.min(#keys, limit) do
    local record = map:record(keys[i])
    list[i] = { key = keys[i], value = map:get(keys[i]), millis = record.millis, counter = record.counter, node = record.node,
      own = record.node == map.client.options.client_id }
  end
  return list
end

local function is_expired(record)
  return type(record.ttlMs) == "number" and record.timestamp.millis + record.ttlMs <= core.wall_ms()
end

local function of_cluster(map, pattern, limit)
  local client = map.client
  local held, err = holdings.read(client, map.name)
  if not held then return nil, err end
  local shown = holdings.shown(client, held)
  for key, one in pairs(shown) do
    if is_expired(one.record) then shown[key] = nil end
  end
  local keys = matching(pattern, pairs(shown))
  local list = { total = #keys, source = "cluster", nodes = held.nodes, missing = held.missing }
  for i = 1, math.min(#keys, limit) do
    local one = shown[keys[i]]
    local time = one.record.timestamp
    list[i] = { key = keys[i], value = one.record.value, millis = time.millis, counter = time.counter, node = time.nodeId, holder = one.node,
      own = time.nodeId == client.options.client_id }
  end
  return list
end

---@class wingman.inspect.record
---@field key string  of the record
---@field value any  decoded
---@field millis integer      when it was written
---@field counter integer  orders writes of one millisecond
---@field node string         who wrote it
---@field own boolean         this client did
---@field holder string|nil   the node that it was read from

---@class wingman.inspect.records: wingman.inspect.record[]
---@field total integer          how many records match
---@field source "copy"|"cluster"  where they come from
---@field state string|nil       of the replica that they come from
---@field nodes string[]|nil     that were read
---@field missing string[]|nil   nodes that own partitions and are not connected: what they hold is not listed

--- The records of a map, with their times and writers. Of a replica from the local copy, else from the nodes, which are all
--- read, and where no node is connected from the local copy.
---@param map wingman.map
---@param pattern string|nil  a part of the key, or a pattern with * and ? for the whole key
---@param limit integer|nil   how many are listed; default 50
---@param source "copy"|"cluster"|nil  where they are to come from
---@return wingman.inspect.records|nil, wingman.error|nil  `total` of them match
function M.of(map, pattern, limit, source)
  if source ~= nil and source ~= "copy" and source ~= "cluster" then
    error(("inspect.records: '%s' is none of copy, cluster"):format(tostring(source)), 2)
  end
  if not source then source = (map.copy or #map.client:connected_nodes() == 0) and "copy" or "cluster" end
  local list, err = (source == "copy" and of_copy or of_cluster)(map, pattern, limit or MAX_LISTED)
  if not list then return nil, err end
  return view.of(list, render, page)
end

local function render_read(found, paint, width)
  local owner = found.owner and escape.plain(found.owner) or "not known"
  if not found.is_there then
    return text_table.format { { "key", escape.plain(found.key) }, { "owner", owner .. ", which has no value of this key" } }
  end
  local holder, writer = escape.plain(found.holder), found.own and "this client" or escape.plain(found.node)
  return text_table.format {
    { "key", escape.plain(found.key) },
    { "read from", holder == owner and holder .. ", the owner" or ("%s (owner: %s)"):format(holder, owner) },
    { "written at", ("%s, counter %d, by %s"):format(time_text(found.millis), found.counter, writer) },
  } .. printer.new { paint = paint, width = function() return width end }:format(found.value) .. "\n"
end

---@class wingman.inspect.read
---@field key string  that was read
---@field is_there boolean  the owner has a value of it
---@field value any             nil: there is none
---@field owner string|nil      node id; nil: not known, as of a lone server
---@field holder string|nil     the node that it was read from
---@field millis integer|nil    when it was written
---@field counter integer|nil  orders writes of one millisecond
---@field node string|nil       who wrote it
---@field own boolean|nil       this client did

--- Reads one key from the node that owns it; see map:read.
---@param map wingman.map
---@param key string
---@return wingman.inspect.read|nil, wingman.error|nil
function M.read(map, key)
  local value, err, record = map:read(key)
  if err then return nil, err end
  local partition_map = map.client:partition_map()
  local owner = partition_map and partition_map.owners[map.client:partition_of(key) + 1] or nil
  local found = { key = key, value = value, owner = owner, is_there = record ~= nil }
  for name, field in pairs(record or {}) do found[name] = field end
  if record then found.own = record.node == map.client.options.client_id end
  return view.of(found, render_read)
end

---@class wingman.inspect.watch
---@field seen integer  changes so far
---@field stop fun(self: wingman.inspect.watch)  ends it

--- Calls `fn(key, value, origin)` for every change of a map that a server reports (a 0.11 cluster
--- reports none).
---@param client wingman.client
---@param name string  of the map
---@param pattern string|nil  a part of the key, or a pattern with * and ? for the whole key
---@param fn fun(key: string, value: any, origin: string)
---@return wingman.inspect.watch
function M.watch(client, name, pattern, fn)
  if type(fn) ~= "function" then error("inspect.watch: a function is expected, got " .. type(fn), 2) end
  local map, matches = client:map(name), matcher(pattern)
  local watch = { seen = 0 }
  local function listen(key, value, origin)
    if not matches(key) then return end
    watch.seen = watch.seen + 1
    fn(key, value, origin)
  end
  function watch.stop() map:off("change", listen) end
  map:on("change", listen, { replicate = false })
  return watch
end

return M
