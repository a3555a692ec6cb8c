--- Runs of load tests for specs: a script's text through the executable, and what it left.
local cjson = require "cjson"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local process = require "wingman.loop.process"
local report = require "wingman.report"

local M = {}

--- Seconds after which a run has hung.
local PATIENCE = 240

--- A file of this content, removed by M.clean.
local files = {}
function M.file(content, suffix)
  local path = os.tmpname() .. (suffix or "")
  local file = assert(io.open(path, "w"))
  file:write(content)
  file:close()
  files[#files + 1] = path
  return path
end

function M.clean()
  for _, path in ipairs(files) do os.remove(path) end
  files = {}
end

--- Starts `wingman run OPTIONS -` with the script on its standard input.
---@param script string
---@param options string[]|nil
---@param env table|nil
function M.start(script, options, env)
  local args = { "run" }
  for _, option in ipairs(options or {}) do args[#args + 1] = option end
  args[#args + 1] = "-"
  local child = assert(process.spawn {
    file = process.wingman_path(), args = args, stdin = true, stderr = true, env = env,
  })
  child:write(script) -- nil where an option is refused: the child has ended without reading it
  child:close_stdin()
  return child
end

-- What a child writes until the end of the stream, or until the deadline; whether it has ended.
local function read_until(child, deadline, stream)
  local parts = {}
  while true do
    local text, err = child:read(math.max(0, deadline - loop.now()), stream)
    if not text then return table.concat(parts), err == "closed" end
    parts[#parts + 1] = text
  end
end

--- Waits for the end of a child: exit code, output, errors. One that has hung is killed, and the
--- error has what it wrote.
function M.finish(child)
  local deadline = loop.now() + PATIENCE
  local out, has_ended = read_until(child, deadline)
  local err = read_until(child, deadline, "stderr")
  if not has_ended then child:kill "SIGKILL" end
  local code, signal = child:wait(PATIENCE)
  child:close()
  if not has_ended then error(("it has not ended after %d s; its output:\n%s\nits errors:\n%s"):format(PATIENCE, out, err), 2) end
  return signal or code, out, err
end

--- Runs a script: its report (nil when it wrote none), exit code, output, errors.
---@return table|nil document, integer|string code, string out, string err
function M.run(script, options, env)
  local path = M.file ""
  local all = { "--out", "json=" .. path }
  for _, option in ipairs(options or {}) do all[#all + 1] = option end
  local code, out, err = M.finish(M.start(script, all, env))
  local document = report.read(path)
  return document, code, out, err
end

--- Gives an order to a run by its control socket: exit code, output, errors.
---@param path string
function M.ctl(path, ...)
  return M.finish(assert(process.spawn { file = process.wingman_path(), args = { "ctl", path, ... }, stderr = true }))
end

--- The status of a run that has a control socket.
---@param path string
---@return table
function M.status(path)
  local code, out, err = M.ctl(path, "status", "--json")
  if code ~= 0 then error(("no status: exit code %s: %s"):format(tostring(code), err), 2) end
  return cjson.decode(out)
end

--- Asks until the status is as awaited; the last one.
---@param path string
---@param awaited string  for the failure
---@param is_so fun(status: table): any
---@return table
function M.status_when(path, awaited, is_so)
  return (select(2, eventually(awaited, function()
    local now = M.status(path)
    return is_so(now), now
  end)))
end

--- The metric of a report with exactly these tags; nil when there is none.
function M.metric(document, name, tags)
  tags = tags or {}
  for _, metric in ipairs(document.metrics) do
    local same = metric.name == name
    for tag, value in pairs(tags) do same = same and metric.tags[tag] == value end
    for tag in pairs(metric.tags) do same = same and tags[tag] ~= nil end
    if same then return metric end
  end
end

--- A test with one scenario, as a script. `fields` is Lua text.
function M.script(scenario, fields)
  return ([[
    local load = require "wingman.load"
    return load.test {
      cluster = "sim://3",
      scenarios = { main = { %s } },
      %s
    }
  ]]):format(scenario, fields or "")
end

--- Starts a run with a control socket and waits until it answers.
---@param scenario string  the fields of the scenario, see M.script
---@param options string[]|nil  of the command line
---@return table child, string path, fun(): table document, integer code, string out, string err
function M.start_controlled(scenario, options)
  local path = M.file ""
  os.remove(path)
  local out = M.file ""
  local all = { "--control", path, "--out", "json=" .. out, unpack(options or {}) }
  local child = M.start(M.script(scenario), all)
  assert(child:read_line(60))
  return child, path, function()
    local code, text, err = M.finish(child)
    return report.read(out), code, text, err
  end
end

--- A scenario that goes on for longer than any order takes: such runs are ended by an order.
M.ENDLESS = [[executor = "constant-arrival-rate", rate = 100, duration = "1h", exec = function(vu) vu:map "m":set("k", 1) end]]

return M
