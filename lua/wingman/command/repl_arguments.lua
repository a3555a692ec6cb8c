--- The command line of `wingman repl`.
local cluster_url = require "wingman.client.options.cluster_url"
local command_line = require "wingman.options.arguments"
local connection_options = require "wingman.client.options.connection"

local M = {}

M.help = [[
usage: wingman repl [OPTIONS] [URL] [-]

An interactive Lua prompt, with or without a cluster. URL is the seeds (ws://host:port,
several with commas between them), or sim://N or topgun://N, which start a cluster of N
nodes for as long as the prompt lasts. The global `client` is connected to it. `.help` at
the prompt lists the commands.

  -                       run a script from standard input, and exit; the default when
                          standard input is not a terminal
  -e CODE                 run CODE, and exit; may be repeated
  -i SCRIPT               run SCRIPT before the prompt, or before standard input when that
                          is not a terminal; -e and -i run in their order
  --attach PATH           open a prompt inside a running program that listens at PATH
  --json                  print values as JSON, one per line
]] .. connection_options.USAGE .. [[

exit codes: 0 done, 1 a chunk raised an error or returned nil, err, or the cluster could
not be reached, 2 usage error, 130 interrupted, n after os.exit(n)
]]

-- Code and scripts run in their order: they share a list.
M.RULES = command_line.all(connection_options.RULES, {
  e = { flag = "-e", type = "table", list = "steps", may_be_empty = true, read = function(code) return { code = code } end },
  i = { flag = "-i", type = "table", list = "steps", read = function(path) return { script = path } end },
  attach = { type = "string" }, json = { type = "boolean" },
})

local function has(steps, kind)
  for _, step in ipairs(steps) do
    if step[kind] then return true end
  end
  return false
end

-- Why a script of `-i` cannot be read; nil when all can.
local function unreadable_script(list)
  for _, step in ipairs(list) do
    local file, err
    if step.script then file, err = io.open(step.script) end
    if err then return "-i: " .. err end
    if file then file:close() end
  end
end

-- The words that are no options: a URL, and "-" for standard input. True, or nil and what is wrong.
local function take_words(options)
  for _, word in ipairs(options.words) do
    if word == "-" then
      options.stdin = true
    elseif options.url then
      return nil, "one URL is expected; seeds have commas between them"
    else
      options.url = word
    end
  end
  return true
end

--- Reads the arguments.
---@param words string[]
---@return table|nil options, string|nil wrong
function M.parse(words)
  local options, wrong = command_line.read(M.RULES, words)
  if not options or options.help then return options, wrong end
  options.has_code, options.has_script = has(options.steps, "code"), has(options.steps, "script")
  local ok
  ok, wrong = take_words(options)
  if ok then wrong = unreadable_script(options.steps) end
  if options.url and not wrong then wrong = select(2, cluster_url.check(options.url)) end
  if not wrong and options.attach and (options.url or options.has_script) then
    wrong = "--attach goes without a URL and a script: they belong to the other program"
  end
  if wrong then return nil, wrong end
  connection_options.choose(options)
  return options
end

return M
