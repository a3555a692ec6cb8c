--- Steering a run from outside: a socket in the file system, a line of text per order, a
--- line of JSON per answer. `wingman ctl PATH ORDER` speaks it, and so does socat.
---
---   status | pause [SCENARIO] | resume [SCENARIO] | rate N [SCENARIO] | vus N [SCENARIO]
---   log debug|info|warn|error | stop
local cjson = require "cjson"
local loop = require "wingman.loop"
local nearest = require "wingman.base.nearest"
local stream = require "wingman.loop.stream"

local M = {}

local orders = {}

function orders.status(run) return run.steering:status() end
function orders.pause(run, name) return run.steering:pause(name) end
function orders.resume(run, name) return run.steering:resume(name) end

function orders.rate(run, rate, name)
  return run.steering:rate(tonumber(rate) or rate, name)
end

function orders.vus(run, count, name)
  return run.steering:vus(tonumber(count) or count, name)
end

function orders.log(run, level) return run.steering:log(level) end

function orders.stop(run)
  run.was_ordered = true
  run:abort("interrupted", "stopped by an order")
  return true
end

--- Does what a line says; its answer as a table with `ok`.
---@param run wingman.load.run
---@param line string
---@return table
function M.obey(run, line)
  local words = {}
  for word in line:gmatch "%S+" do words[#words + 1] = word end
  local order = orders[words[1] or ""]
  if not order then
    return { ok = false, error = ("'%s' is no order%s; there are status, pause, resume, rate, vus, log, stop"):format(words[1] or "",
      nearest.hint(words[1], orders)) }
  end
  if #words > 3 then return { ok = false, error = "there are too many words" } end
  local result, err = order(run, words[2], words[3])
  if not result then return { ok = false, error = err } end
  if type(result) ~= "table" then result = {} end
  result.ok = true
  return result
end

local function serve(run, conn)
  while true do
    local line = conn:read_line()
    if not line then break end
    conn:write(cjson.encode(M.obey(run, line)) .. "\n")
  end
  conn:close()
end

--- Listens until the function that it returns is called. Nil and why it cannot.
---@param run wingman.load.run
---@param path string
---@return fun()|nil, string|nil err
function M.start(run, path)
  local listener, err = stream.listen { path = path }
  if not listener then return nil, err end
  local open = {}
  loop.spawn(function()
    while true do
      local conn = listener:accept()
      if not conn then return end
      open[conn] = true
      loop.spawn(function()
        serve(run, conn)
        open[conn] = nil
      end)
    end
  end)
  return function()
    listener:close()
    for conn in pairs(open) do conn:close() end
  end
end

return M
