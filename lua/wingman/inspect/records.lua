--- The records of a map: with their times, and as they change.
local escape = require "wingman.base.escape"
local printer = require "wingman.text.printer"
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

local function render(list, paint, width)
  local show = printer.new { width = function() return 100000 end }
  local rows = { { "key", "written at", "counter", "by", "value" } }
  for _, record in ipairs(list) do
    rows[#rows + 1] = { escape.plain(record.key), time_text(record.millis), tostring(record.counter), record.own and "this client" or escape.plain(record.node),
      show:format(record.value) }
  end
  local lines = {}
  for line in text_table.format(rows, { heading = true }):gmatch "[^\n]+" do
    if escape.width(line) > width then line = line:sub(1, width - 1):gsub("[\192-\255][\128-\191]*$", "") .. "…" end
    lines[#lines + 1] = line .. "\n"
  end
  if lines[1] then lines[1] = paint("heading", lines[1]:sub(1, -2)) .. "\n" end
  if list.total > #list then lines[#lines + 1] = paint("comment", ("%s more"):format(text_table.count(list.total - #list))) .. "\n" end
  return table.concat(lines)
end

--- The records of a map in the local copy, with their times and writers.
---@param map wingman.map
---@param pattern string|nil  a part of the key, or a pattern with * and ? for the whole key
---@param limit integer|nil   how many are listed; default 50
---@return { key: string, value: any, millis: number, counter: number, node: string, own: boolean }[]  `total` of them match
function M.of(map, pattern, limit)
  local matches, keys = matcher(pattern), {}
  for key in map:each() do
    if matches(key) then keys[#keys + 1] = key end
  end
  table.sort(keys)
  local list = { total = #keys }
  for i = 1, math.min(#keys, limit or MAX_LISTED) do
    local record = map:record(keys[i])
    list[i] = { key = keys[i], value = map:get(keys[i]), millis = record.millis, counter = record.counter, node = record.node,
      own = record.node == map.client.options.client_id }
  end
  return view.of(list, render)
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
---@field key string
---@field is_there boolean
---@field value any             nil: there is none
---@field owner string|nil      node id; nil: not known, as of a lone server
---@field holder string|nil     the node that it was read from
---@field millis integer|nil    when it was written
---@field counter integer|nil
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
---@field stop fun(self: wingman.inspect.watch)

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
  map:on("change", listen)
  return watch
end

return M
