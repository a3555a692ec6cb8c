--- How long it takes from the start of a program to its prompt, at a terminal: Wingman's
--- against those of LuaJIT and Node.js, in one run.
local directory = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = directory .. "/?.lua;" .. package.path

local cjson = require "cjson"
local median = require "median"
local read_options = require "options"
local loop = require "wingman.loop"
local process = require "wingman.loop.process"
local text_table = require "wingman.text.table"

local USAGE = [[
usage: wingman run scripts/bench/repl.lua [--rounds N] [--json]

Starts each program in a terminal of its own (util-linux' script) and takes the time until
its prompt is there, in rounds that take turns:

  nothing       a shell that prints a prompt: what the terminal itself costs
  wingman       wingman repl
  wingman sim   wingman repl sim://3: the cluster starts and connects meanwhile
  luajit        luajit -i
  node          node

Times are medians and contain what the terminal costs; the ratios say how many times as
long as Wingman's another prompt takes, without that.

  --rounds N  rounds (default 15)
  --json      one JSON object as the last line, ratios under "ratios"
]]

--- The start of one program may take so long (seconds).
local TIMEOUT = 20

local function exists(program)
  return os.execute("command -v '" .. program .. "' >/dev/null 2>&1") == 0
end

local function candidates()
  local wingman = process.wingman_path()
  local list = {
    { name = "nothing", command = "printf '> '; read line" },
    { name = "wingman", command = wingman .. " repl" },
    { name = "wingman sim", command = wingman .. " repl sim://3" },
  }
  for _, other in ipairs { { "luajit", "luajit -i" }, { "node", "node" } } do
    if exists(other[1]) then list[#list + 1] = { name = other[1], command = other[2] }
    else io.stderr:write("repl: ", other[1], " is not installed\n") end
  end
  return list
end

-- Seconds from the start to the prompt.
local function measure(command)
  local began = loop.now()
  local child = assert(process.spawn {
    file = "script", args = { "-q", "-e", "-c", command, "/dev/null" }, stdin = true,
    env = { SHELL = "/bin/sh", TERM = "xterm", WINGMAN_HISTORY = "", NODE_REPL_HISTORY = "" },
  })
  local seen = ""
  repeat
    local text, err = child:read(TIMEOUT)
    if not text then error(("no prompt of '%s': %s\n%s"):format(command, err, seen)) end
    seen = seen .. text
  until seen:find("> ", 1, true)
  local took = loop.now() - began
  child:write "\4" -- Ctrl-D leaves each of them
  if not child:wait(2) then child:kill "SIGTERM" end
  child:wait(2)
  child:close()
  return took
end

local function bench(options)
  local list, times = candidates(), {}
  for round = 0, options.rounds do -- round 0 warms up
    for _, candidate in ipairs(list) do
      local took = measure(candidate.command)
      times[candidate.name] = times[candidate.name] or {}
      if round > 0 then table.insert(times[candidate.name], took) end
    end
  end
  local result = { rounds = options.rounds, ms = {}, ratios = {} }
  for name, values in pairs(times) do result.ms[name] = median(values) * 1e3 end
  local own = result.ms.wingman - result.ms.nothing
  for name, ms in pairs(result.ms) do
    if name ~= "wingman" and name ~= "nothing" then result.ratios[name] = (ms - result.ms.nothing) / own end
  end
  return list, result
end

loop.run(function()
  local options = read_options(USAGE, { rounds = 15 })
  local list, result = bench(options)
  local rows = { { "to the prompt", "median", "times wingman" } }
  for _, candidate in ipairs(list) do
    local ratio = candidate.name == "wingman" and 1 or result.ratios[candidate.name]
    rows[#rows + 1] = { candidate.name, ("%.1f ms"):format(result.ms[candidate.name]), ratio and ("%.2f"):format(ratio) or "" }
  end
  io.write(text_table.format(rows, { heading = true, indent = "  " }))
  if options.json then io.write(cjson.encode(result), "\n") end
end)
