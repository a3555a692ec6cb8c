--- Run by spec/seeds_spec.lua in a process of its own: connects to a name.
--- usage: dns_child.lua start|leave HOST PORT
local loop = require "wingman.loop"
local sim = require "wingman.sim"
local wingman = require "wingman"

local what, host, port = ...

local function client_of(seed_port, token)
  return wingman.client {
    server = ("ws://%s:%d"):format(host, seed_port), auth = { token = token }, reconnect = "never",
    start_timeout = 10, log_to = function() end,
  }
end

-- The longest time between two turns of a loop that is never idle for long.
local function watch()
  local longest, last = 0, loop.now()
  local function tick()
    longest, last = math.max(longest, loop.now() - last), loop.now()
    loop.timer(0.005, tick)
  end
  tick()
  return function() return longest end
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
  local begun, longest = loop.now(), watch()
  local ok = client:start()
  if ok then print(("connected after %.3f s, longest turn %.3f s"):format(loop.now() - begun, longest()))
  else print("failed: " .. client:health().nodes[1].last_reason) end
  client:close()
  cluster:stop()
end)
