--- The command line of `wingman repl`.
local cluster_url = require "wingman.client.options.cluster_url"
local connection_options = require "wingman.client.options.connection"
local nearest = require "wingman.base.nearest"

local M = {}

M.USAGE = [[
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

local values = { ["--attach"] = "attach" }
-- Code and scripts, which run in their order.
local steps = { ["-e"] = "code", ["-i"] = "script" }
local flags = { ["-"] = "stdin", ["--json"] = "json", ["--help"] = "help", ["-h"] = "help" }

local function take_step(options, kind, value)
  options.steps[#options.steps + 1] = { [kind] = value }
  options["has_" .. kind] = true
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

--- Reads the arguments; those about the connection are taken by wingman.client.options.connection.
---@param words string[]
---@return table|nil options, string|nil wrong
function M.parse(words)
  local options, i, wrong = { steps = {} }, 1
  words, wrong = connection_options.take(words)
  if not words then return nil, wrong end
  while words[i] do
    local word = words[i]
    if flags[word] then
      options[flags[word]] = true
    elseif steps[word] or values[word] then
      i = i + 1
      if not words[i] then return nil, word .. " needs a value" end
      if values[word] then options[values[word]] = words[i] else take_step(options, steps[word], words[i]) end
    elseif word:sub(1, 1) == "-" then
      return nil, nearest.unknown_flag(word, values, flags, connection_options.valued, connection_options.flags)
    elseif options.url then
      return nil, "one URL is expected; seeds have commas between them"
    else
      options.url = word
    end
    i = i + 1
  end
  wrong = unreadable_script(options.steps)
  if options.url and not wrong then wrong = select(2, cluster_url.check(options.url)) end
  if wrong then return nil, wrong end
  if options.attach and (options.url or options.has_script) then
    return nil, "--attach goes without a URL and a script: they belong to the other program"
  end
  return options
end

return M
