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

-- Wrong usage: says so.
local function refuse(...)
  io.stderr:write("wingman run: ", ...)
  io.stderr:write "\n"
  return 2
end

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

local function finish(before, args, result, err)
  local load = package.loaded["wingman.load"]
  if load and load.is_test(result) then return require("wingman.command.load").main(result, before, args) end
  if load and load.made() > 0 and result == nil then
    return refuse(args[0], ": a load test was made but not returned: write `return load.test { … }`")
  end
  if #before > 0 then
    return refuse(before[1], ": only load tests take options; ", args[0], " has run, and returned none: the options had no effect")
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
  if not before then return refuse(wrong) end
  local options = true
  if #before > 0 then options, wrong = require("wingman.command.load").parse(before) end
  if not options then
    io.stderr:write(wrong, "\n")
    return 2
  end
  if not args[at] then return refuse "a script is missing; see wingman run --help" end
  if args[at]:match "^%a+://" then
    return refuse(("'%s' is a URL, not a script: `wingman bench URL` tests it, `wingman repl URL` looks at it")
      :format(url.shown(args[at])))
  end
  _G.arg = rest
  local text, name = read_script(args[at])
  local chunk, err
  if text then chunk, err = loadstring(text, name) else err = name end
  if not chunk then return refuse(err) end
  if #before > 0 and is_no_test(text) then
    return refuse(before[1], ": only load tests take options, and ", args[at],
      " is none: it never loads wingman.load; it was not run. ARGS of a script stand behind its name")
  end
  script.set(text, name)
  script.look_beside()
  return finish(before, rest, chunk(unpack(rest)))
end

return M
