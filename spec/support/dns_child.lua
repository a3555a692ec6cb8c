--- Run by spec/cluster/provider/seeds_spec.lua in a process of its own: connects to a name.
--- usage: dns_child.lua start|leave HOST PORT
local loop = require "wingman.loop"
local sim = require "wingman.sim"
local wingman = require "wingman"

local what, host, port = ...

local function client_of(seed_port, token)
  return wingman.client {
    server = ("ws://%s:%d"):format(host, seed_port), auth = { token = token }, reconnect = "never",
    start_timeout = 30, connect_timeout = 60, log_to = function() end,
  }
end

-- How often the loop turns while the client starts: a tick is due every 5 ms.
local function count_ticks()
  local count = -1
  local function tick()
    count = count + 1
    loop.timer(0.005, tick)
  end
  tick()
  return function() return count end
end

if what == "leave" then
  local client = client_of(tonumber(port), "x")
  local starting = loop.spawn(client.start, client)
  loop.sleep(0.05)
  client:close()
  assert(not starting:wait())
  print "left"
  return
end

wingman.run(function()
  local cluster = assert(sim.start { nodes = 1, ports = { tonumber(port) } })
  local client = client_of(tonumber(port), cluster.token)
  local ticks = count_ticks()
  local ok = client:start()
  if ok then print(("connected after %d ticks"):format(ticks()))
  else print("failed: " .. client:health().nodes[1].last_reason) end
  client:close()
  cluster:stop()
end)
