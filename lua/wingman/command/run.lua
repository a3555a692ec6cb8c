--- `wingman run`: runs a script; one that returns a load test is run as such.
local connection_options = require "wingman.client.options.connection"
local escape = require "wingman.base.escape"
local script = require "wingman.base.script"
local url = require "wingman.base.url"

local M = {}

local function takes_value(name)
  return connection_options.valued[name] or require("wingman.command.load").valued[name]
end

-- Where the script is among the arguments: behind options of connections and load tests.
local function script_at(args)
  local i = 1
  while args[i] and args[i]:match "^%-%-%a" do
    local name = args[i]:match "^%-%-([%a-]+)$"
    i = i + (name and takes_value(name) and 2 or 1)
  end
  return i
end

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

-- A script that ends as calls do that have failed has failed.
local function failed(args, err)
  io.stderr:write("wingman: ", args[0], " returned ", err == nil and "false" or "an error: " .. escape.lines(tostring(err)), "\n")
  return 1
end

local function finish(before, args, result, err)
  local load = package.loaded["wingman.load"]
  if load and load.is_test(result) then return require("wingman.command.load").main(result, before, args) end
  if load and load.made() > 0 and result == nil then
    io.stderr:write("wingman run: ", args[0], ": a load test was made but not returned: write `return load.test { … }`\n")
    return 2
  end
  if #before > 0 then
    io.stderr:write("wingman run: ", before[1], ": the script returns no load test, and only those take options\n")
    return 2
  end
  if result == false or result == nil and err ~= nil then return failed(args, err) end
  return result
end

--- Runs what the command line says. The exit code, or what the script returned.
---@param args string[]
function M.main(args)
  local at = script_at(args)
  local before, rest, wrong = {}, { [0] = args[at] }
  for i = 1, at - 1 do before[i] = args[i] end
  for i = at + 1, #args do rest[i - at] = args[i] end
  before, wrong = connection_options.take(before)
  if not before then
    io.stderr:write("wingman run: ", wrong, "\n")
    return 2
  end
  local options = true
  if #before > 0 then options, wrong = require("wingman.command.load").parse(before) end
  if not options then
    io.stderr:write(wrong, "\n")
    return 2
  end
  if not args[at] then
    io.stderr:write "wingman run: a script is missing; see wingman run --help\n"
    return 2
  end
  if args[at]:match "^%a+://" then
    io.stderr:write(("wingman run: '%s' is a URL, not a script: `wingman bench URL` tests it, `wingman repl URL` looks at it\n")
      :format(url.shown(args[at])))
    return 2
  end
  _G.arg = rest
  local text, name = read_script(args[at])
  local chunk, err
  if text then chunk, err = loadstring(text, name) else err = name end
  if not chunk then
    io.stderr:write("wingman run: ", err, "\n")
    return 2
  end
  script.set(text, name)
  script.look_beside()
  return finish(before, rest, chunk(unpack(rest)))
end

return M
