--- `wingman run`: runs a script; one that returns a load test is run as such.
local command_line = require "wingman.options.arguments"
local connection_options = require "wingman.client.options.connection"
local escape = require "wingman.base.escape"
local script = require "wingman.load.input.script"
local url = require "wingman.base.url"
local usage = require "wingman.options.usage"
local usage_error = require "wingman.base.usage_error"

local M = {}

M.help = [[
usage: wingman run [OPTIONS] SCRIPT [ARGS]

Runs a Lua script (LuaJIT) that can require "wingman". SCRIPT - is standard input. The
script gets ARGS as `...` and in the global table `arg`. A number that it returns is the
exit code.

SIGINT (Ctrl-C), SIGTERM and SIGHUP drain every client first: what was written is sent, and
its acknowledgements are awaited for up to 10 s. What is unacknowledged then is reported, by
cause. A second signal ends the process at once. A script can change that with
wingman.interrupt.

exit codes: 0 done, 1 the script failed, 2 usage error or no such script, 130 interrupted
(SIGINT), 143 terminated (SIGTERM), 129 hung up (SIGHUP)

Defaults for every client of the script:

]] .. connection_options.USAGE .. [[

Options for a script that returns a load test (require "wingman.load"):

  --out FORMAT=FILE  write the report as json, csv, hgrm, junit, html, svg, text or
                     prometheus; may be repeated
  --workers N        run N threads, one core each
  --policy FILE      policies: a Lua file that returns { routing = ..., reconnect = ...,
                     circuit = ..., endpoint = ... }
  --seed N           seed of all random choices; default 1
  --shard I/N        run part I (from 0) of N, on one of N machines; default in indexed jobs
                     of Kubernetes, arrays of Slurm and ranks of MPI: their index.
                     {shard} in FILE stands for I
  --start-at TIME    begin at TIME (Unix seconds, or +DURATION such as +10s), so that all
                     shards begin together
  --control PATH     listen for orders at a socket, see wingman ctl
  --attach PATH      listen for prompts at a socket, see wingman repl --attach
  --prometheus ADDR  serve metrics over HTTP, e.g. at :9464
  --keep-awake       keep the processors from halting, see wingman keep-awake; for a virtual
                     machine that only the load generator uses
  --strict           fail when the generator was late or dropped iterations; for shards, see
                     wingman report merge --strict
  --quiet            print errors and the verdict only

exit codes of load tests: 0 passed, 99 a threshold failed, 98 --strict and the generator was
late or dropped iterations, 3 no connection, 1 also when a planned fault failed or nothing
was measured; others as above
]]

-- The script's text and chunk name (workers load it once more); nil and why not.
local function read_script(path)
  local file, err = io.stdin, nil
  if path ~= "-" then file, err = io.open(path, "rb") end
  if not file then return nil, err end
  local text, why = file:read "*a"
  if path ~= "-" then file:close() end
  if not text then return nil, path .. ": " .. tostring(why) end
  return (text:gsub("^#[^\n]*", "")), path == "-" and "=stdin" or "@" .. path
end

local function refuse(...) return usage.refuse("run", ...) end

-- A script that ends as calls do that have failed has failed.
local function failed(args, err)
  io.stderr:write("wingman: ", args[0], " returned ", err == nil and "false" or "an error: " .. escape.lines(tostring(err)), "\n")
  return 1
end

local function has_word(text, word) return text:find("%f[%w_]" .. word .. "%f[^%w_]") ~= nil end

-- Whether a script certainly returns no load test: it reaches neither wingman.load nor code
-- that is elsewhere. That is seen before it runs.
local function is_no_test(text)
  if has_word(text, "load") then return false end
  local rest = text:gsub("%f[%w_]require%s*%(?%s*([\"'])wingman[%w_.]*%1", "")
  for _, word in ipairs { "require", "dofile", "loadfile", "loadstring" } do
    if has_word(rest, word) then return false end
  end
  return true
end

--- The rules of all options, for wingman.options.arguments. A script without any needs no module of load tests.
---@return table<string, wingman.option_rule>
function M.rules()
  return command_line.all(connection_options.RULES, require("wingman.command.load").RULES)
end

-- `of_tests`: the first option that only load tests have.
local function finish(options, of_tests, args, result, err)
  local load = package.loaded["wingman.load"]
  if load and load.is_test(result) then
    local all, wrong = command_line.read(M.rules(), args, { into = options })
    if not all then return refuse(wrong) end
    connection_options.choose(all)
    return require("wingman.command.load").main(result, all, args)
  end
  if load and load.made() > 0 and result == nil then
    return refuse(args[0], ": a load test was made but not returned: write `return load.test { … }`")
  end
  if of_tests then
    return refuse(of_tests, ": only load tests take options; ", args[0], " has run, and returned none: the options had no effect")
  end
  if result == false or result == nil and err ~= nil then return failed(args, err) end
  return result
end

-- The options in front of the script, and the first of them that only load tests have; nil and what is wrong.
-- Those of load tests are loaded where there is one.
local function read_options(args)
  local has_options, of_tests = args[1] ~= nil and args[1]:match "^%-." ~= nil, nil
  local options, wrong = command_line.read(has_options and M.rules() or {}, args, {
    only_in_front = true,
    seen = function(name, word)
      if not connection_options.RULES[name] then of_tests = of_tests or word end
    end,
  })
  if not options then return nil, wrong end
  return options, of_tests
end

-- The script's function. Nil, why not, and whether that is a mistake of the script, not of the command line.
local function load_script(path, of_tests)
  if path:match "^%a+://" then
    return nil, ("'%s' is a URL, not a script: `wingman bench URL` tests it, `wingman repl URL` looks at it"):format(url.shown(path))
  end
  local text, name = read_script(path)
  if not text then return nil, name, true end
  local chunk, err = loadstring(text, name)
  if not chunk then return nil, err, true end
  if of_tests and is_no_test(text) then
    return nil, ("%s: only load tests take options, and %s is none: it never loads wingman.load; it was not run. "
      .. "ARGS of a script stand behind its name"):format(of_tests, path)
  end
  script.set(text, name)
  script.look_beside()
  return chunk
end

--- Runs what the command line says. The exit code, or what the script returned.
---@param args string[]
function M.main(args)
  local options, of_tests = read_options(args)
  local code = usage.answer("run", M.help, options, of_tests)
  if code then return code end
  connection_options.choose(options)
  local path = options.words[1]
  if not path then return refuse "a script is missing" end
  local script_args = { [0] = path, unpack(options.words, 2) }
  _G.arg = script_args
  local chunk, wrong, is_of_script = load_script(path, of_tests)
  if is_of_script then
    io.stderr:write("wingman run: ", escape.lines(wrong), "\n")
    return usage_error.EXIT_CODE
  end
  if not chunk then return refuse(wrong) end
  return finish(options, of_tests, script_args, chunk(unpack(script_args)))
end

return M
