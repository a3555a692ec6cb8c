--- `wingman ctl PATH ORDER…`: one order to a run that was started with --control PATH.
local cjson = require "cjson"
local command_line = require "wingman.options.arguments"
local duration = require "wingman.base.duration"
local loop = require "wingman.loop"
local stream = require "wingman.loop.stream"
local text_table = require "wingman.text.table"
local url = require "wingman.base.url"
local usage = require "wingman.options.usage"

local M = {}

--- Seconds that a run may take to answer.
local PATIENCE = 10

M.help = [[
usage: wingman ctl [OPTIONS] PATH ORDER

Controls a running load test, which `wingman run --control PATH` started.

  status                   print its progress
  pause|resume [SCENARIO]  begin no iterations until resume
  rate N [SCENARIO]        set the iterations per second of scenarios with an arrival rate
  vus N [SCENARIO]         set the number of users of externally controlled scenarios
  log LEVEL                log lines of the clients to show: debug, info, warn or error
  stop                     end the run; its report is written

  --json                   print the answer as JSON

exit codes: 0 done, 1 the run refused or did not answer, 2 usage error
]]

M.RULES = { json = { type = "boolean" } }

local function show(answer)
  local rows = { { "scenario", "state", "target", "iterations", "dropped", "users", "busy" } }
  for _, one in ipairs(answer.scenarios) do
    rows[#rows + 1] = { one.name, one.state, ("%.0f"):format(one.target), one.iterations, one.dropped, one.users, one.busy }
  end
  io.stdout:write(("%s: %s, %s of %s, %s operations not acknowledged\n"):format(answer.name or "load test", answer.state,
    duration.text(answer.elapsed_s), duration.text(answer.planned_s), text_table.count(answer.log_depth)))
  io.stdout:write(text_table.format(rows, { heading = true, indent = "  " }))
end

local function ask(path, order)
  local conn, err = stream.connect { path = path }
  if not conn then return nil, err end
  local line
  local ok, why = conn:write(order .. "\n")
  if ok then line, why = conn:read_line(PATIENCE) end
  conn:close()
  if not line then return nil, ("%s: no answer (%s)"):format(path, tostring(why)) end
  local decoded, answer = pcall(cjson.decode, line)
  if not decoded or type(answer) ~= "table" then return nil, path .. ": the answer is no JSON" end
  return answer, nil, line
end

---@param args string[]
---@return integer exit code
function M.main(args)
  local options, wrong = command_line.read(M.RULES, args)
  local code = usage.answer("ctl", M.help, options, wrong)
  if code then return code end
  local words = options.words
  if not words[1] then return usage.refuse("ctl", "a PATH is missing, and an order") end
  if words[1]:match "^%a+://" then
    return usage.refuse("ctl", ("'%s' is a URL; the PATH that the load test was given by --control PATH is expected")
      :format(url.shown(words[1])))
  end
  if not words[2] then return usage.refuse("ctl", "an order is missing") end
  local answer, err, line = loop.run(function() return ask(words[1], table.concat(words, " ", 2)) end)
  if not answer or not answer.ok then
    io.stderr:write("wingman ctl: ", tostring(answer and answer.error or err), "\n")
    return 1
  end
  if options.json then io.stdout:write(line, "\n")
  elseif answer.scenarios then show(answer) end
  return 0
end

return M
