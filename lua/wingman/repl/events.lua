--- What happens to a client, as lines for a person.
local escape = require "wingman.base.escape"
local log_fields = require "wingman.text.log_fields"
local text_table = require "wingman.text.table"

local M = {}

local function name_of(node) return node.id or node.url end

-- event -> what is said, and how it is coloured; nothing: it is not worth a line.
local texts = {}

function texts.node_connected(node) return ("%s connected at %s"):format(node.id, node.url), "good" end

function texts.node_lost(node)
  local detail = node.detail and node.detail ~= "" and " (" .. node.detail .. ")" or ""
  return ("%s lost: %s%s"):format(name_of(node), node.reason, detail), "error"
end

function texts.circuit(change)
  return ("circuit of %s %s: %s"):format(name_of(change), tostring(change.state):gsub("_", " "), change.reason or ""),
    change.state == "closed" and "good" or "warning"
end

function texts.state(to, from, reason)
  if to ~= "ERROR" then return nil end
  return "no connection: " .. (reason or from), "error"
end

function texts.high_watermark(ops) return ("the op log has reached its high watermark: %s operations"):format(text_table.count(ops)), "warning" end
function texts.low_watermark(ops) return ("the op log is down to its low watermark: %s operations"):format(text_table.count(ops)), "good" end
function texts.ack_timeout(what)
  return ("%s operations sent to %s were not acknowledged in time; they are sent again"):format(text_table.count(what.ops), what.node or what.url), "warning"
end
function texts.oplog_recovered() return "the op log's file can be written again", "good" end

for _, name in ipairs { "op_rejected", "op_dropped", "op_tries", "oplog_error", "server_error" } do
  texts[name] = function(err) return tostring(err), "error" end
end

-- How many partitions have another owner than before; a new version alone is no news.
local function moved(before, now)
  local n = 0
  for p = 1, math.max(#before, #now) do
    if before[p] ~= now[p] then n = n + 1 end
  end
  return n
end

local function map_listener(client, show)
  local owners = client:partition_map() and client:partition_map().owners or {}
  return function(map)
    local before = owners
    owners = client:partition_map().owners
    local n = moved(before, owners)
    if n > 0 then show(("partition map version %d: %d partitions moved, %d nodes"):format(map.version, n, map.nodes), "comment") end
  end
end

-- Log lines that say what an event says, too.
local said_by_event = {
  server_error = true, op_rejected = true, op_tries = true, ack_timeout = true, oplog_not_written = true,
}

local function stamp(paint) return paint("comment", os.date "%H:%M:%S" .. " ") end

local level_colours = { error = "error", warn = "warning" }

--- A log line of a client as a line of the prompt.
---@param paint fun(kind: string, text: string): string
---@return string
function M.format_log(paint, level, event, fields)
  return stamp(paint) .. paint(level_colours[level] or "comment", event .. " " .. escape.plain(log_fields.format(fields))) .. "\n"
end

--- The same; nil when an event says it, or when it is no warning.
---@param paint fun(kind: string, text: string): string
---@return string|nil
function M.log_line(paint, level, event, fields)
  if (level ~= "warn" and level ~= "error") or said_by_event[event] then return nil end
  return M.format_log(paint, level, event, fields)
end

--- Shows the events of a client: `say(text)` with a whole line for each.
---@param client wingman.client
---@param paint fun(kind: string, text: string): string
---@param say fun(text: string)
---@return fun()  ends it
function M.follow(client, paint, say)
  local function show(line, kind)
    if line then say(stamp(paint) .. paint(kind, escape.plain(line)) .. "\n") end
  end
  local listeners = { map_changed = map_listener(client, show) }
  for event, text in pairs(texts) do
    listeners[event] = function(...) show(text(...)) end
  end
  for event, listener in pairs(listeners) do client:on(event, listener) end
  return function()
    for event, listener in pairs(listeners) do client:off(event, listener) end
  end
end

--- One line about a client that has connected.
---@param client wingman.client
---@return string
function M.summary(client)
  local router = client:router_stats()
  return ("connected: %d %s of the %s family, %d partitions, map version %s, hash %s"):format(
    #client:connected_nodes(), #client:connected_nodes() == 1 and "node" or "nodes", client:dialect(), router.partition_count, router.map_version, router.hash)
end

return M
