--- The lists that the code keeps, each as a page.
local client_events = require "wingman.client.events"
local errors = require "wingman.base.error"
local exit_codes = require "wingman.report.exit_codes"
local markdown = require "reference.markdown"
local metrics = require "wingman.metrics.list"
local server_error = require "wingman.client.incoming.server_error"
local sorted = require "wingman.base.sorted"

local code = markdown.code

local M = {}

M.options = require "reference.options_page"

-- "(to, from): words" of the list of events.
local function event_row(name, text)
  local arguments, about = text:match "^(%b())%s*:%s*(.*)$"
  return { code(name), code(arguments), about }
end

function M.events()
  local rows = {}
  for _, name in ipairs(sorted.keys(client_events)) do rows[#rows + 1] = event_row(name, client_events[name]) end
  return [[
# Events

`client:on(name, fn)` calls `fn` with the arguments below; `client:off(name, fn)` ends that. An event that does not exist is
refused. An error in `fn` goes to `log_to` as `callback_failed`, once a second for each place that fails, is counted in
`client:stats().callback_errors`, and ends nothing else.

]] .. markdown.table({ "event", "arguments", "when" }, rows) .. [[

A map has one event: `map:on("change", function(key, value, origin) end)`. `value` is nil when the key was removed.

The fields of a `failover`, in seconds after `detected_at`: `map_asked`, `map_received`, `rerouted`, `first_ack`, `drained`;
and `node`, `url`, `reason`, `detail`, `partitions`.
]]
end

function M.metrics()
  local rows = {}
  for _, name in ipairs(sorted.keys(metrics)) do
    local kind = metrics[name]
    local tags = {}
    for i, tag in ipairs(kind.tags) do tags[i] = code(tag) end
    rows[#rows + 1] = { code(name), kind.type, kind.unit, table.concat(tags, " "), kind.about }
  end
  return [[
# Metrics of a load test

Every run records these. A *counter* has `count` and `rate` (per second). A *trend* has `p(N)`, `avg`, `min`, `max`, `med`,
`count` and `rate`. A *gauge* has `value`, `min` and `max`. A *rate* has `rate` (a share from 0 to 1) and `count`. A metric's
total holds every sample; the tags are parts of it. A metric with the tag `scenario` has the tags of the test and of the
scenario besides.

]] .. markdown.table({ "metric", "type", "unit", "tags", "what it counts" }, rows)
end

--- The reasons of the end of a connection, from the core's list.
local function end_reasons()
  local find = assert(io.popen "find core -name end_reason.h")
  local path = assert(find:read "*l", "core has no end_reason.h")
  find:close()
  local rows = {}
  for line in io.lines(path) do
    local key, about = line:match '^%s*X%([A-Z_]+, "([a-z_]+)", "(.-)"%)'
    if key then rows[#rows + 1] = { code(key), about } end
  end
  return rows
end

function M.errors()
  local rows, from_servers = {}, {}
  for _, name in ipairs(sorted.keys(errors.codes)) do rows[#rows + 1] = { code(name), errors.codes[name] } end
  for _, name in ipairs(sorted.keys(server_error.codes)) do
    from_servers[#from_servers + 1] = { code(name), server_error.codes[name] and "yes" or "no" }
  end
  return [[
# Error codes

An error is a table with `code` and `message`, and prints as both. What to do about each is in
[troubleshooting](../troubleshooting.md).

## Of the client

]] .. markdown.table({ "code", "what happened, and what became of the data" }, rows) .. [[

## Of servers

The event `server_error`, `client:send_with_retry` and load tests report what a server answered under these codes.
`err.retriable` says whether the same again may succeed.

]] .. markdown.table({ "code", "retriable" }, from_servers) .. [[

## Why a connection ended

The field `reason` of `node_lost`, and of failovers and the reconnect policy.

]] .. markdown.table({ "reason", "meaning" }, end_reasons())
end

M["exit-codes"] = function()
  local codes = {}
  for name, value in pairs(exit_codes) do
    if type(value) == "number" then codes[#codes + 1] = { value, name } end
  end
  table.sort(codes, function(a, b) return a[1] < b[1] end)
  local rows = {}
  for i, one in ipairs(codes) do rows[i] = { one[1], (one[2]:gsub("_", " ")), exit_codes.about and exit_codes.about[one[2]] or "" } end
  return "# Exit codes\n\nThe number that a command of `wingman` ends with. A script's own number is passed on.\n\n"
    .. markdown.table({ "code", "name", "when" }, rows)
end

return M
