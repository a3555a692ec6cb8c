--- The partition map for people: who owns which partitions, and where a key goes.
local cjson = require "cjson"
local colours = require "wingman.text.colours"
local errors = require "wingman.base.error"
local escape = require "wingman.base.escape"
local text_table = require "wingman.text.table"
local view = require "wingman.inspect.view"

local M = {}

local LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
local SHADES = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" }

-- A letter and a colour for each node, in the order of their ids: a node that is gone
-- keeps its own.
local function legend_of(data)
  local ids, seen = {}, {}
  local function take(id)
    if id and not seen[id] then
      seen[id] = true
      ids[#ids + 1] = id
    end
  end
  for p = 1, data.partition_count do take(data.owners[p]) end
  for _, id in ipairs(data.known) do take(id) end
  table.sort(ids)
  local legend = {}
  for i, id in ipairs(ids) do
    local at = (i - 1) % #LETTERS + 1
    legend[id] = { letter = LETTERS:sub(at, at), colour = colours.strip[(i - 1) % #colours.strip + 1] }
  end
  return ids, legend
end

-- The painter knows kinds; a strip has colours of its own, where there are any.
local function painted(paint, colour, text)
  if paint("heading", "x") == "x" then return text end
  return "\27[" .. colour .. "m" .. text .. "\27[0m"
end

local function grid(data, legend, paint, width)
  local per_row = math.max(10, math.floor((width - 7) / 10) * 10)
  local lines, line = {}, {}
  for p = 1, data.partition_count do
    if #line == 0 then line[1] = ("%5d  "):format(p - 1) end
    local owner = data.owners[p]
    local mark = owner and legend[owner]
    if not mark then
      line[#line + 1] = "."
    else
      local letter = data.routes[p] == owner and mark.letter or mark.letter:lower()
      line[#line + 1] = painted(paint, mark.colour, letter)
    end
    if #line > per_row or p == data.partition_count then
      lines[#lines + 1] = table.concat(line) .. "\n"
      line = {}
    end
  end
  return table.concat(lines)
end

-- How much of each stretch of partitions an owner has, as a strip of blocks.
local function strip(data, id, columns)
  local cells = {}
  for c = 1, columns do
    local first = math.floor((c - 1) * data.partition_count / columns) + 1
    local last = math.floor(c * data.partition_count / columns)
    local mine = 0
    for p = first, last do
      if data.owners[p] == id then mine = mine + 1 end
    end
    cells[c] = mine == 0 and " " or SHADES[math.ceil(mine / (last - first + 1) * #SHADES)]
  end
  return table.concat(cells)
end

local function render(data, paint, width)
  if not data.version then return "no partition map yet\n" end
  local ids, legend = legend_of(data)
  local rows = {}
  for i, id in ipairs(ids) do
    local n, backups = 0, 0
    for p = 1, data.partition_count do
      if data.owners[p] == id then n = n + 1 end
      for _, backup in ipairs(data.backups[p]) do backups = backups + (backup == id and 1 or 0) end
    end
    rows[i] = { legend[id].letter, escape.plain(id), n, ("%.1f %%"):format(n / data.partition_count * 100), ("%d backups"):format(backups) }
  end
  local lines, i = {}, 0
  for line in text_table.format(rows, { indent = "  " }):gmatch "[^\n]+" do
    i = i + 1
    local room = math.min(data.partition_count, width - escape.width(line) - 4)
    lines[i] = painted(paint, legend[ids[i]].colour, line .. "  " .. (room >= 10 and strip(data, ids[i], room) or "")):gsub(" +(\27%[0m)$", "%1") .. "\n"
  end
  local notes = ("%d partitions, map version %s"):format(data.partition_count, data.version)
  if data.elsewhere > 0 then notes = notes .. (", %d not at their owner now (small letters)"):format(data.elsewhere) end
  return paint("heading", notes) .. "\n" .. grid(data, legend, paint, width) .. table.concat(lines)
end

-- The node id that a partition is routed to now; false when it is held.
local function routes_of(client, map)
  local routes, node_indexes = {}, client.closed and {} or client.core:routes()
  for p = 1, map.partition_count do
    local node = client.provider.connections.by_index[node_indexes[p]]
    routes[p] = node and node.id or false
  end
  return routes
end

local function known_ids(client, map)
  local ids = {}
  for _, node in ipairs(map.nodes) do ids[#ids + 1] = node.id end
  for _, node in ipairs(client.provider.connections.nodes) do ids[#ids + 1] = node.id end
  return ids
end

--- The partition map in use: version, partition_count, nodes, owners[partition + 1],
--- backups[partition + 1], routes[partition + 1] (the node that gets the operations now; false: they are
--- held), elsewhere (number of partitions whose route is not their owner), known (ids of all nodes, also of
--- those that are gone).
---@param client wingman.client
---@return table
function M.of(client)
  local map = client:partition_map()
  if not map then return view.of({}, render) end
  local routes, elsewhere = routes_of(client, map), 0
  for p = 1, map.partition_count do
    if routes[p] ~= map.owners[p] then elsewhere = elsewhere + 1 end
  end
  return view.of({
    version = map.version, partition_count = map.partition_count, nodes = map.nodes, owners = map.owners,
    backups = map.backups, routes = routes, elsewhere = elsewhere, known = known_ids(client, map),
  }, render)
end

--- Writes the partition map in use to a file as JSON, as inspect.whatif reads it.
---@param client wingman.client
---@param path string
---@return true|nil, wingman.error|nil
function M.save(client, path)
  local map = client:partition_map()
  if not map then return nil, errors.new("NOT_CONNECTED", "there is no partition map yet") end
  local text = cjson.encode {
    version = map.version, partition_count = map.partition_count, nodes = map.nodes, owners = map.owners,
  }
  local file, err = io.open(path, "w")
  if not file then error("inspect.save_map: " .. err, 2) end
  file:write(text, "\n")
  file:close()
  return true
end

local function render_route(route, paint)
  local function words(name, value) return { name, escape.plain(value) } end
  local rows = { words("key", route.key), words("partition", ("%d of %d (hash %s)"):format(route.partition, route.partition_count, route.hash)) }
  rows[#rows + 1] = words("owner", route.owner or "not known")
  rows[#rows + 1] = words("backups", #route.backups > 0 and table.concat(route.backups, ", ") or "none")
  rows[#rows + 1] = words("goes to", route.node and ("%s at %s"):format(route.node, route.url) or "nobody now: writes wait")
  if #route.maps > 0 then rows[#rows + 1] = words("is here in", table.concat(route.maps, ", ")) end
  local text = text_table.format(rows)
  if not route.node then text = text:gsub("nobody now: writes wait", function(t) return paint("warning", t) end) end
  return text
end

--- The partition and owner of a key, and the node that gets its operations now.
---@param client wingman.client
---@param key string
---@return table route  key, partition, partition_count, hash, owner, backups, node, url, maps
function M.route(client, key)
  if type(key) ~= "string" or key == "" then error("inspect.route: a key is expected, a string", 2) end
  local map, router = client:partition_map(), client:router_stats()
  local partition = client:partition_of(key)
  local node = client.provider and client.provider.node_of and client.provider:node_of(key)
  local maps = {}
  for _, name in ipairs(client.map_order) do
    if client:map(name).core_map:get(key) ~= nil then maps[#maps + 1] = name end
  end
  return view.of({
    key = key, partition = partition, partition_count = router.partition_count, hash = router.hash,
    owner = map and map.owners[partition + 1] or nil, backups = map and map.backups[partition + 1] or {},
    node = node and (node.id or node.url), url = node and node.url, maps = maps,
  }, render_route)
end

return M
