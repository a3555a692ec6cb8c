--- The commands of the prompt: `.name arguments`. What they do is in wingman.inspect;
--- here are their words.
local inspect = require "wingman.inspect"
local live = require "wingman.repl.subscriptions"
local log_levels = require "wingman.loop.log_levels"
local policies = require "wingman.policy.list"
local reader = require "wingman.repl.reader"
local sorted = require "wingman.base.sorted"
local text_table = require "wingman.text.table"

local M = {}

---@class wingman.repl.command
---@field arguments string    how it is called, for .help
---@field summary string
---@field takes table|nil     what each argument is, for TAB: "map", "node", "key", "expression", a list of words
---@field run fun(session: wingman.repl.session, rest: string): any, any  what it returns is shown

---@type table<string, wingman.repl.command>
M.list = {}

local function fail(format, ...) error(format:format(...), 0) end

local function client_of(session)
  local client = session.client
  if not client then fail "there is no client: connect(\"sim://3\") makes one" end
  if client.closed then fail "the client is closed" end
  return client
end

-- The words of the rest, which may be in quotes; fewer than `needed`, or more than `most`, are an error that shows how it is
-- called.
local function words(name, rest, needed, most)
  local list, at = {}, 1
  while true do
    local quoted, after = rest:match("^%s*\"([^\"]*)\"%f[%s%z]()", at)
    if not quoted then quoted, after = rest:match("^%s*'([^']*)'%f[%s%z]()", at) end
    if not quoted then quoted, after = rest:match("^%s*(%S+)()", at) end
    if not quoted then break end
    list[#list + 1], at = quoted, after
  end
  if #list < needed then fail("usage: .%s %s", name, M.list[name].arguments) end
  if most and #list > most then fail("usage: .%s %s; what has blanks stands in quotes", name, M.list[name].arguments) end
  return list
end

local function evaluator(session, name, text)
  if text == "" then words(name, text, 1) end
  local fn, err = reader.compile(text)
  if not fn then fail("%s", err) end
  return setfenv(fn, session.environment)
end

-- Cluster ---------------------------------------------------------------------------

M.list.nodes = { arguments = "", summary = "state, round trip, circuit, partitions and operations of every node",
  run = function(session) return inspect.nodes(client_of(session)) end }

M.list.map = { arguments = "[FILE]", summary = "the partition map: who owns which partition; with FILE: write it as JSON",
  run = function(session, rest)
    if rest == "" then return inspect.map(client_of(session)) end
    return inspect.save_map(client_of(session), rest)
  end }

M.list.route = { arguments = "KEY", summary = "the partition and owner of a key, and the node that gets its writes now", takes = { "key" },
  run = function(session, rest) return inspect.route(client_of(session), words("route", rest, 1, 1)[1]) end }

M.list.stats = { arguments = "", summary = "the client's counters, and the latency of acknowledgements",
  run = function(session) return inspect.stats(client_of(session)) end }

M.list.maps = { arguments = "", summary = "the maps of this client, and which of them are replicas",
  run = function(session) return inspect.maps(client_of(session)) end }

M.list.records = { arguments = "MAP [PATTERN] [copy|cluster]", summary = "the records with their times, of a replica or read from the nodes",
  takes = { "map", "key", { "copy", "cluster" } },
  run = function(session, rest)
    local args = words("records", rest, 1, 3)
    return inspect.records(client_of(session):map(args[1]), args[2], session.page_rows and math.huge or nil, args[3])
  end }

M.list.read = { arguments = "MAP KEY", summary = "a key's value as its owner has it, with its time", takes = { "map", "key" },
  run = function(session, rest)
    local args = words("read", rest, 2, 2)
    local found, err = inspect.read(client_of(session):map(args[1]), args[2])
    if not found then fail("%s", tostring(err)) end
    return found
  end }

M.list.replicate = { arguments = "MAP [SECONDS]", summary = "make a map a replica, and wait until it is equal to the nodes", takes = { "map" },
  run = function(session, rest)
    local args = words("replicate", rest, 1, 2)
    local synced, err = inspect.replicate(client_of(session):map(args[1]), tonumber(args[2]) or args[2])
    if not synced and err.code == "TIMEOUT" then session.write(session.paint("comment", "the replica goes on; .replicas shows it") .. "\n") end
    return synced, err
  end }

M.list.replicas = { arguments = "", summary = "the replicas: state, records, repairs, and when each node was found equal",
  run = function(session) return inspect.replicas(client_of(session)) end }

M.list.diff = { arguments = "MAP", summary = "the local copy against what each node holds", takes = { "map" },
  run = function(session, rest) return inspect.diff(client_of(session):map(words("diff", rest, 1, 1)[1])) end }

M.list.rejected = { arguments = "[resend|drop SEQ|all]", summary = "the rejected writes (dead letters); send them again, or drop them",
  takes = { { "resend", "drop" }, { "all" } },
  run = function(session, rest)
    local client = client_of(session)
    if rest == "" then return inspect.rejected(client) end
    local args = words("rejected", rest, 2)
    local count, err = inspect.order_rejected(client, args[1], args[2])
    if not count then fail("%s", tostring(err)) end
    session.write(("%s %s\n"):format(text_table.count(count), args[1] == "drop" and "dropped" or "recorded again"))
  end }

M.list.whatif = { arguments = "MAP.json [KEYS]", summary = "where the known keys, or those of a file, would lie on another partition map",
  run = function(session, rest)
    local args = words("whatif", rest, 1)
    return inspect.whatif(client_of(session), args[1], args[2])
  end }

M.list.sim = { arguments = "kill|restart|pause|resume|stop_node N", summary = "kill, restart, pause, resume or stop a node of sim:// or topgun://",
  takes = { { "kill", "restart", "pause", "resume", "stop_node" }, "node" },
  run = function(session, rest)
    local args = words("sim", rest, 2)
    return inspect.sim(client_of(session), args[1], args[2])
  end }

-- What goes on ------------------------------------------------------------------------

M.list.watch = { arguments = "MAP [PATTERN] | off", summary = "show the changes of a map as they arrive", takes = { "map" },
  run = function(session, rest)
    local args = words("watch", rest, 1, 2)
    if args[1] == "off" then return live.stop(session, "watch") end
    live.watch(session, client_of(session), args[1], args[2])
  end }

-- Rows of a live query, unless it says how many.
local MOST_ROWS = 20

-- A table is the whole query; anything else are fields for `where`.
local function live_query_of(session, text)
  if text == "" then text = "{}" end
  if text:sub(1, 1) ~= "{" then text = "{ where = { " .. text .. " } }" end
  local query = evaluator(session, "live", text)()
  if type(query) ~= "table" then fail("usage: .live %s", M.list.live.arguments) end
  query.limit = query.limit or MOST_ROWS
  return query
end

M.list.live = { arguments = "MAP [FIELDS | QUERY] | off", summary = "show the rows of a live query whenever they change", takes = { "map", "expression" },
  run = function(session, rest)
    local name = words("live", rest, 1)[1]
    if name == "off" then return live.stop(session, "live") end
    local text = rest:gsub("^%s*[\"']?" .. name:gsub("%p", "%%%0") .. "[\"']?%s*", "")
    live.live(session, client_of(session), name, live_query_of(session, text))
  end }

M.list.trace = { arguments = "on|full|off", summary = "show frames in both directions, decoded; full: not cut to one line",
  takes = { { "on", "off", "full" } },
  run = function(session, rest)
    if rest == "off" then return live.stop(session, "trace") end
    if rest ~= "on" and rest ~= "full" then words("trace", "", 1) end
    live.trace(session, client_of(session), rest == "full")
  end }

local levels_and_off = { unpack(log_levels.names) }
levels_and_off[#levels_and_off + 1] = "off"

M.list.log = { arguments = table.concat(levels_and_off, "|"), summary = "show the client's log lines of this level and above",
  takes = { levels_and_off },
  run = function(session, rest)
    local args = words("log", rest, 1)
    live.stop(session, "log")
    if args[1] ~= "off" then live.log(session, client_of(session), args[1]) end
  end }

M.list.policy = { arguments = table.concat(policies.changeable, "|") .. " EXPR", summary = "set a policy: a name, or a function",
  takes = { policies.changeable, "expression" },
  run = function(session, rest)
    words("policy", rest, 2)
    local kind, text = rest:match "^(%S+)%s+(.*)$"
    local policy = text:match "^[%a_]+$" and rawget(session.environment, text) or text:match "^[%a_]+$" or evaluator(session, "policy", text)()
    inspect.policy(client_of(session), kind, policy)
  end }

-- Code ----------------------------------------------------------------------------------

M.list.load = { arguments = "FILE", summary = "run a Lua file",
  run = function(session, rest)
    words("load", rest, 1)
    return inspect.load(rest, session.environment)
  end }

M.list.save = { arguments = "FILE", summary = "write the chunks of this session to a script",
  run = function(session, rest)
    words("save", rest, 1)
    session.write(("%d chunks in %s\n"):format(inspect.save(rest, session.lines), rest))
  end }

M.list.time = { arguments = "EXPR", summary = "run it once and print how long it took", takes = { "expression" },
  run = function(session, rest)
    local fn = evaluator(session, "time", rest)
    if jit then jit.off(fn, true) end
    return (function(seconds, ...)
      session.write(session.paint("comment", "took " .. text_table.duration(seconds)) .. "\n")
      return ...
    end)(inspect.time(fn))
  end }

M.list.bench = { arguments = "EXPR", summary = "run it repeatedly and print how long a call takes", takes = { "expression" },
  run = function(session, rest) return inspect.bench(evaluator(session, "bench", rest)) end }

local function help_text(session)
  local rows = {}
  for i, name in ipairs(sorted.keys(M.list)) do rows[i] = { "." .. name .. " " .. M.list[name].arguments, M.list[name].summary } end
  return session.paint("heading", "Lua, and these commands (each is a function of wingman.inspect):") .. "\n"
    .. text_table.format(rows, { indent = "  " }) .. [[
Globals: client, cluster (of sim:// and topgun://), wingman, connect(url), sleep(s), help(x), _ (the last result).
A chunk over several lines goes on until it is whole. Locals end with their chunk. What is typed here is
interpreted, so that Ctrl-C can end it; .bench compiles. TAB completes, Ctrl-R searches the history.
]]
end

M.list.help = { arguments = "[NAME]", summary = "this list, or the doc comment of a function: .help client.query", takes = { "expression" },
  run = function(session, rest)
    if rest == "" then return session.write(help_text(session)) end
    local help = require "wingman.repl.help"
    local path = rest:gsub(":", ".")
    session.write(help.about(evaluator(session, "help", path)(), session.paint))
  end }

--- Runs a command line; raises for one that is wrong.
---@param session wingman.repl.session
---@param line string
function M.run(session, line)
  local name, rest = line:match "^%s*%.(%a+)%s*(.-)%s*$"
  local command = M.list[name]
  if not command then fail("there is no command .%s; .help lists them", name) end
  return command.run(session, rest)
end

return M
