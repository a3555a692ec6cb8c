--- What the prompt shows as it happens: changes of maps, rows of live queries, frames on the wire. It goes on
--- until it is stopped, or the session ends.
local escape = require "wingman.base.escape"
local inspect = require "wingman.inspect"
local printer = require "wingman.text.printer"
local text_table = require "wingman.text.table"

local M = {}

local WIDE = function() return 1000000 end

local function stamp(session) return session.paint("comment", os.date "%H:%M:%S" .. " ") end

-- Cuts a line, colours and all, to the width of the screen.
local function fit(text, width)
  if escape.width(text) <= width then return text end
  local parts, used, i = {}, 0, 1
  while i <= #text and used < width - 1 do
    local colour = text:match("^\27%[[%d;]*m", i)
    local character = colour or text:match("^[%z\1-\127\192-\255][\128-\191]*", i) or text:sub(i, i)
    parts[#parts + 1] = character
    i = i + #character
    if not colour then used = used + 1 end
  end
  return table.concat(parts) .. "…" .. (text:find("\27", 1, true) and "\27[0m" or "")
end

local function remember(session, kind, handle)
  session.settings[kind] = session.settings[kind] or {}
  table.insert(session.settings[kind], handle)
end

--- Ends what was started of one kind.
---@param session wingman.repl.session
---@param kind "watch"|"live"|"trace"|"log"
function M.stop(session, kind)
  for _, handle in ipairs(session.settings[kind] or {}) do handle.stop() end
  session.settings[kind] = nil
end

--- Shows the changes of a map.
---@param session wingman.repl.session
---@param client wingman.client
---@param name string
---@param pattern string|nil
function M.watch(session, client, name, pattern)
  local show = printer.new { colour = session.colour, width = WIDE }
  remember(session, "watch", inspect.watch(client, name, pattern, function(key, value)
    local text = value == nil and session.paint("warning", "removed") or show:format(value)
    session.write(fit(("%s%s %s = %s"):format(stamp(session), escape.plain(name), escape.plain(key), text), session.width()) .. "\n")
  end))
end

--- Shows the rows of a live query, anew whenever they change.
---@param session wingman.repl.session
---@param client wingman.client
---@param name string
---@param query wingman.live_query_options
function M.live(session, client, name, query)
  remember(session, "live", inspect.live(client, name, query, function(rows, status)
    local heading = ("%s%s: %s of %s rows"):format(stamp(session), escape.plain(name), text_table.count(status.rows), text_table.count(status.matching))
    if status.state ~= "live" then heading = ("%s (%s)"):format(heading, session.paint("warning", status.state)) end
    session.write(heading .. "\n" .. getmetatable(rows).render(rows, session.paint, session.width()))
  end))
end

--- Shows the client's log.
---@param session wingman.repl.session
---@param client wingman.client
---@param level string
function M.log(session, client, level)
  local events = require "wingman.repl.events"
  remember(session, "log", inspect.log(client, level, function(line_level, event, fields)
    session.write(events.format_log(session.paint, line_level, event, fields))
  end))
end

local function each_message(session, frame, is_full, show, narrow)
  local head = ("%s%s %s "):format(stamp(session), session.paint(frame.outward and "number" or "string", frame.outward and "->" or "<-"),
    escape.plain(frame.node))
  if #frame.messages == 0 then session.write(head .. session.paint("warning", ("%d bytes, not decoded: too many frames wait"):format(frame.bytes)) .. "\n") end
  for _, message in ipairs(frame.messages) do
    local kind = type(message.type) == "string" and message.type or "?"
    message.type = nil
    local body = next(message) == nil and "" or " " .. (is_full and narrow or show):format(message)
    local line = ("%s%s %s%s"):format(head, session.paint("heading", escape.plain(kind)), session.paint("comment", frame.bytes .. " bytes"), body)
    session.write((is_full and line or fit(line, session.width())) .. "\n")
  end
end

--- Shows frames.
---@param session wingman.repl.session
---@param client wingman.client
---@param is_full boolean  whole messages, over several lines; else one line each
function M.trace(session, client, is_full)
  M.stop(session, "trace")
  local show = printer.new { colour = session.colour, width = WIDE }
  local narrow = printer.new { colour = session.colour, width = session.width }
  remember(session, "trace", inspect.trace(client, function(frame) each_message(session, frame, is_full, show, narrow) end))
end

return M
