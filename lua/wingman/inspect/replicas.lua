--- The maps of a client, and its replicas: how each stands, and whether it is equal to the nodes.
local duration = require "wingman.base.duration"
local escape = require "wingman.base.escape"
local holdings = require "wingman.inspect.holdings"
local loop = require "wingman.loop"
local quantities = require "wingman.text.quantities"
local sorted = require "wingman.base.sorted"
local text_table = require "wingman.text.table"
local view = require "wingman.inspect.view"

local M = {}

--- How long M.replicate waits (seconds).
local PATIENCE = 30

local function render_synced(data, paint)
  local line = ("%s: %s, %s, %s; %s; equal on %d of %s"):format(escape.plain(data.map), quantities.plural(data.records, "record"),
    quantities.plural(data.requests, "request"), text_table.duration(data.seconds), data.state, data.equal,
    quantities.plural(data.nodes, "node"))
  return paint(data.state == "live" and "good" or "warning", line) .. "\n"
end

---@class wingman.inspect.replicated
---@field map string  its name
---@field state string      of the copy, see copy:status
---@field records integer  keys with a value
---@field requests integer  sent for it since the call
---@field seconds number    since the call
---@field equal integer     nodes that were found equal since the call
---@field nodes integer     nodes that own partitions or are connected

--- Makes a map a replica (map:replicate), and waits until it was found equal to each node. When that takes longer: nil and
--- an error that names a node; the replica goes on. For a map that is a replica it is a comparison with each node.
---@param map wingman.map
---@param timeout number|string|nil  a duration; default: 30 s
---@return wingman.inspect.replicated|nil, wingman.error|nil err  TIMEOUT, CLOSED, UNSUPPORTED
function M.replicate(map, timeout)
  local most = duration.limit(timeout, "inspect.replicate", 2) or PATIENCE
  local copy, began = map:replicate(), loop.now()
  local before = copy:status().requests
  local ok, err = copy:synced(most)
  if not ok then return nil, err end
  local status, seconds = copy:status(), loop.now() - began
  local equal = 0
  for _, ago in pairs(status.equal_at) do equal = equal + (ago <= seconds and 1 or 0) end
  return view.of({
    map = map.name, state = status.state, records = status.records, requests = status.requests - before, seconds = seconds,
    equal = equal, nodes = #sorted.keys(holdings.node_ids(map.client)),
  }, render_synced)
end

local function equal_line(replica)
  local parts = {}
  for i, id in ipairs(replica.nodes) do
    local ago = replica.equal_at[id]
    parts[i] = escape.plain(id) .. (ago and (" %s ago"):format(text_table.duration(ago)) or " never")
  end
  return "  equal to " .. (#parts > 0 and table.concat(parts, ", ") or "no node")
end

local state_colours = { live = "good", stale = "error", partial = "warning", catching_up = "warning" }

local function render_replicas(list, paint, width)
  if #list == 0 then return paint("comment", "no replicas: .replicate MAP makes one") .. "\n" end
  local rows = { { "map", "state", "for", "records", "bytes", "repairs", "lost", "behind", "requests" } }
  for i, one in ipairs(list) do
    rows[i + 1] = { escape.plain(one.map), one.state, text_table.duration(one.seconds), one.records, quantities.bytes(one.bytes), one.repairs,
      one.lost, one.behind, one.requests }
  end
  local lines, i = {}, 0
  for line in text_table.format(rows, { heading = true }):gmatch "[^\n]+" do
    local one = list[i]
    line = text_table.clip(line, width)
    if one then line = paint(state_colours[one.state] or "comment", line) else line = paint("heading", line) end
    lines[#lines + 1] = line .. "\n"
    if one and one.why then lines[#lines + 1] = text_table.clip("  " .. escape.plain(one.why), width) .. "\n" end
    if one then lines[#lines + 1] = text_table.clip(equal_line(one), width) .. "\n" end
    i = i + 1
  end
  return table.concat(lines)
end

---@class wingman.inspect.replica
---@field map string  its name
---@field state string      see copy:status
---@field why string|nil    why it is not live
---@field seconds number    for which it is so
---@field records integer   keys with a value
---@field bytes integer     of these keys and their values
---@field nodes string[]    ids of those that own partitions or are connected
---@field equal_at table<string, number>  by node id: seconds since it was known to be equal; none: it never was
---@field events integer    changes that nodes have announced
---@field repairs integer   records that comparisons found to differ, and that were read
---@field lost integer      records that a node came up without, and that are still shown
---@field behind integer    keys whose change the watches do not have yet
---@field requests integer  sent for it

--- The replicas of a client, by the names of their maps.
---@param client wingman.client
---@return wingman.inspect.replica[]
function M.of(client)
  local list, nodes = {}, sorted.keys(holdings.node_ids(client))
  for i, name in ipairs(sorted.keys(client.copies)) do
    local status = client.copies[name]:status()
    list[i] = {
      map = name, state = status.state, why = status.why, seconds = status.since, records = status.records, bytes = client:map(name).core_map:bytes(),
      nodes = nodes, equal_at = status.equal_at, events = status.events, repairs = status.repairs, lost = status.lost,
      behind = status.behind, requests = status.requests,
    }
  end
  return view.of(list, render_replicas)
end

local function render_maps(list, paint, width)
  local lines = {}
  if #list > 0 then
    local rows = { { "map", "records here", "the local copy is" } }
    for i, one in ipairs(list) do
      rows[i + 1] = { escape.plain(one.map), one.records, one.state and "a replica, " .. one.state or "what this client wrote or heard of" }
    end
    for line in text_table.format(rows, { heading = true }):gmatch "[^\n]+" do lines[#lines + 1] = text_table.clip(line, width) end
    lines[1] = paint("heading", lines[1])
  end
  lines[#lines + 1] = paint("comment", ("%s of this client; which others the cluster has is not known"):format(quantities.plural(#list, "map")))
  return table.concat(lines, "\n") .. "\n"
end

--- The maps that this client has used. Wingman does not ask a cluster for the others.
---@param client wingman.client
---@return { map: string, records: integer, state: string|nil }[]  records: keys with a value in the local copy; state: of a
---  replica, see copy:status
function M.maps(client)
  local list = {}
  for i, name in ipairs(client.map_order) do
    local copy = client.copies[name]
    list[i] = { map = name, records = client:map(name).core_map:size(), state = copy and copy:status().state or nil }
  end
  table.sort(list, function(a, b) return a.map < b.map end)
  return view.of(list, render_maps)
end

--- Seconds between two calls of what shows a live query.
local SHOWN_EVERY = 0.1

---@class wingman.inspect.live
---@field live wingman.live_query  which is shown
---@field stop fun(self: wingman.inspect.live)  ends both

--- Calls `fn(rows, status)` with the rows of a live query once it has read the map, and whenever they have changed, ten
--- times a second at most.
---@param client wingman.client
---@param name string  of the map
---@param query wingman.live_query_options|nil
---@param fn fun(rows: wingman.rows, status: wingman.live_status)
---@return wingman.inspect.live
function M.live(client, name, query, fn)
  if type(fn) ~= "function" then error("inspect.live: a function is expected, got " .. type(fn), 2) end
  local live, timer = client:live_query(name, query), nil
  local function show()
    timer = nil
    local status = live:status()
    if not live.closed and (status.state ~= "snapshot" or status.rows > 0) then fn(live:rows(), status) end
  end
  local function changed() timer = timer or loop.timer(SHOWN_EVERY, show) end
  for _, event in ipairs { "row", "reset", "state" } do live:on(event, changed) end
  changed()
  return { live = live, stop = function()
    if timer then timer:cancel() end
    live:close()
  end }
end

return M
