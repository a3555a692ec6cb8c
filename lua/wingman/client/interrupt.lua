--- The end of `wingman run` by SIGINT (Ctrl-C), SIGTERM or SIGHUP: every open client sends
--- what it holds and gets some seconds for the acknowledgements; then the script is
--- ended. A script that has something better to do registers a function. A second
--- signal ends the process at once, whatever goes on.
---
--- In a host that embeds the module signals are the host's, and nothing here happens.
local backlog = require "wingman.client.health.backlog"
local core = require "wingman.core"
local escape = require "wingman.base.escape"
local loop = require "wingman.loop"
local open_clients = require "wingman.client.open_clients"
local script_traceback = require "wingman.base.script_traceback"
local text_table = require "wingman.text.table"

local M = {}

--- Seconds that acknowledgements are waited for, at most.
M.limit = 10

--- Seconds of waiting that are not worth a word.
local QUIETLY = 0.2
--- The error that ends the script; the executable knows it by this text.
local REASON = "interrupted"
--- Nodes that a report names at most.
local NAMED_NODES = 5

--- What the executable says, and its exit code, when a signal has ended the script.
local ENDS = {
  SIGINT = { word = "interrupted", code = 130 }, SIGTERM = { word = "terminated", code = 143 },
  SIGHUP = { word = "hung up", code = 129 },
}

local handlers = {}
local ending = false
local answered = false -- the last signal was given to functions of the script

--- Runs `fn(signal)` as a task at the first SIGINT, SIGTERM or SIGHUP, in place of the
--- draining: the script goes on until it ends by itself.
---@param fn fun(signal: "SIGINT"|"SIGTERM"|"SIGHUP")
function M.on(fn)
  if type(fn) ~= "function" then error("interrupt.on: a function is expected, got " .. type(fn), 2) end
  handlers[#handlers + 1] = fn
end

--- Takes a function out again. Safe when it is not there.
function M.off(fn)
  for i = #handlers, 1, -1 do
    if handlers[i] == fn then table.remove(handlers, i) end
  end
end

--- For a handler that has dealt with its signal: the script goes on, the next signal is a first one again,
--- and the exit code does not speak of this one.
function M.rearm() core.rearm() end

local function say(format, ...) io.stderr:write("wingman: ", escape.lines(format:format(...)), "\n") end

local function sum(clients)
  local total = { pending = 0, held = 0, queued = 0, sent = 0, unverified = 0 }
  for _, client in ipairs(clients) do
    for name, count in pairs(client:backlog()) do total[name] = total[name] + count end
  end
  return total
end

-- The script runs on meanwhile, and may close a client: that one leaves the list, and
-- what it had at the last look is added to `clients.given_up`.
local function wait_for_acknowledgements(clients, seconds)
  local seen = {}
  return loop.wait_until(function()
    local pending = 0
    for i = #clients, 1, -1 do
      local client = clients[i]
      if client.closed then
        clients.given_up = clients.given_up + (seen[client] or 0)
        table.remove(clients, i)
      else
        client.core:flush(true)
        seen[client] = client:pending_ops()
        pending = pending + seen[client] + (client:has_unverified() and 1 or 0)
      end
    end
    return pending == 0
  end, seconds)
end

-- Why there is nowhere to go to.
local function name_lost_nodes(clients)
  local named = 0
  for _, client in ipairs(clients) do
    for _, node in ipairs(client:health().nodes) do
      if not node.usable and named < NAMED_NODES then
        named = named + 1
        say("  %s%s: %s", node.id and node.id .. " at " or "", node.url, node.last_reason or "not connected")
      end
    end
  end
end

local function unverified(total)
  return ("%s writes that were acknowledged just before the cluster's membership changed are"):format(text_table.count(total.unverified))
end

local function report(clients)
  local files, failures = {}, {}
  for _, client in ipairs(clients) do
    if client:pending_ops() > 0 and client.options.oplog.path then
      local ok, err = client:sync()
      if ok then files[#files + 1] = client.options.oplog.path else failures[#failures + 1] = err.message end
    end
  end
  local left = sum(clients)
  if left.pending > 0 then say("%s writes were not acknowledged: %s", text_table.count(left.pending), backlog.text(left))
  else say("%s not sent again, and are unverified", unverified(left)) end
  if left.held > 0 then name_lost_nodes(clients) end
  if #files > 0 then say("they are kept in %s", table.concat(files, ", ")) end
  for _, message in ipairs(failures) do say("they may not be kept: %s", message) end
end

local function drain(clients)
  clients.given_up = 0
  local drained = wait_for_acknowledgements(clients, QUIETLY)
  if not drained then
    local left = sum(clients)
    local what = left.pending > 0 and ("for the acknowledgements of %s writes"):format(text_table.count(left.pending))
      or "until " .. unverified(left) .. " sent again"
    say("waiting up to %g s %s; a second signal ends at once", M.limit, what)
    local begun = loop.now()
    drained = wait_for_acknowledgements(clients, M.limit)
    if drained and clients.given_up == 0 then say("all are acknowledged, after %s", text_table.duration(loop.now() - begun)) end
  end
  if clients.given_up > 0 then
    say("the script closed a client meanwhile that had up to %s writes without an acknowledgement", text_table.count(clients.given_up))
  end
  if not drained then report(clients) end
end

--- Internal: whether clients are being closed because of a signal, when CLOSED is no news.
function M.is_ending() return ending end

-- A script whose call says CLOSED now may take that for an error, and exit by it.
local function exit_by(signal)
  local exit, how = os.exit, ENDS[signal]
  os.exit = function()
    say("%s", how.word)
    return exit(how.code, true)
  end
end

local function drain_and_close(signal)
  local clients = open_clients.list()
  drain(clients)
  ending = true
  exit_by(signal)
  for _, client in ipairs(clients) do client:close(0) end -- what is left was reported
end

local tasks = {} -- what the signal has started

--- Does what a signal asks for; the loop calls it.
---@param signal "SIGINT"|"SIGTERM"|"SIGHUP"
function M.signalled(signal)
  tasks = {}
  for i, fn in ipairs(handlers) do tasks[i] = loop.spawn(fn, signal) end
  answered = #handlers > 0
  if answered then return end
  tasks[1] = loop.spawn(function()
    local ok, err = xpcall(drain_and_close, debug.traceback, signal)
    if not ok then say("%s", err) end
    loop.stop(REASON)
  end)
end

loop.on_signal(M.signalled)

--- Part of the executable: whether the script itself deals with the signal, and with it the
--- exit code.
---@return boolean
function M.is_answered() return answered end

-- Clients that are not closed: those that were started, and the others.
local function by_start()
  local started, others = {}, {}
  for _, client in ipairs(open_clients.list()) do
    local list = client.provider and started or others
    list[#list + 1] = client
  end
  return started, others
end

local function has_backlog(clients)
  local total = sum(clients)
  return total.pending > 0 or total.unverified > 0
end

-- Reports the tasks of a script that never ran the loop. True when there are some.
local function report_unbegun()
  local some = false
  for _, fn in ipairs(loop.iterations() == 0 and loop.unbegun() or {}) do
    local info = debug.getinfo(fn, "S")
    if not script_traceback.is_own(info.source) then
      some = true
      say("the task at %s:%d did not run: the script ended and had not turned the loop, as wingman.run(fn) does",
        info.short_src, info.linedefined)
    end
  end
  return some
end

--- Part of the executable: the script has ended by itself. Clients that it left open get the
--- time for their acknowledgements that a signal would have given them; those that were never
--- started have nowhere to send to.
---@return boolean  false: writes are left without an acknowledgement, no code took an error, or a task did not run
function M.script_ended()
  local all_ran = not report_unbegun()
  local started, others = by_start()
  if has_backlog(started) then drain(started) end
  if has_backlog(others) then report(others) end
  return all_ran and not has_backlog(open_clients.list()) and loop.unheard_errors() == 0
end

--- Part of the executable: the script was ended by the error "interrupted". Waits for
--- what the signal has started, or starts it now.
---@param signal string
function M.finish(signal)
  if #tasks == 0 and loop.is_stopped() then return end -- by the loop itself: no client was there
  if #tasks == 0 then M.signalled(signal) end
  for _, task in ipairs(tasks) do
    local _, err = task:wait()
    if err then say("%s", err) end
  end
end

return M
