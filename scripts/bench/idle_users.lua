--- What a user costs that has a connection of its own and does nothing: resident memory
--- for each, of a load test's generator and of plain JavaScript.
local directory = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = directory .. "/?.lua;" .. package.path

local cjson = require "cjson"
local peer_packages = require "peer_packages"
local read_options = require "options"
local load = require "wingman.load"
local loop = require "wingman.loop"
local process = require "wingman.loop.process"
local run_module = require "wingman.load.run"
local sim = require "wingman.sim"
local text_table = require "wingman.text.table"

local USAGE = [[
usage: wingman run scripts/bench/idle_users.lua [--users N] [--json]

Opens connections to a simulated cluster of one node, by plain ws; each authenticates and
is idle from then on but for its heartbeat. Each side runs in a process of its own, which
reads its resident memory (VmRSS) before it begins and once all are open, have sent a
heartbeat and the garbage was collected:

  wingman  a load test with connections = "per-vu": a user with a coroutine and a
           connection each
  node     the npm package ws, a socket each, installed into build/bench-peer when missing

A process needs a file descriptor for each user (ulimit -n). Needs node and npm.

  --users N  how many (default 5000)
  --json     one JSON object as the last line, ratios under "ratios"
]]

--- Set in the environment of the child that is measured.
local CHILD = "WINGMAN_BENCH_IDLE_USERS"
--- Seconds from the last connection on until the memory is read: each sends a PING in 5 s.
local SETTLE = 6

local function resident_bytes()
  local file = assert(io.open "/proc/self/status")
  local kilobytes = file:read("*a"):match "VmRSS:%s+(%d+)"
  file:close()
  return tonumber(kilobytes) * 1024
end

-- The generator, as a script of its own would have it.
local function generate(given)
  local open, all = 0, loop.future()
  local test = load.test {
    server = given.url, auth = { token = given.token }, connections = "per-vu",
    client = { connect_timeout = 120, auth_timeout = 120 },
    scenarios = {
      idle = {
        executor = "constant-vus", vus = given.users, duration = "600s",
        exec = function(vu)
          assert(vu:connect())
          open = open + 1
          if open == given.users then all:resolve(true) end
          vu:sleep(600)
        end,
      },
    },
  }
  collectgarbage()
  local before = resident_bytes()
  local run = run_module.new(test.options, {})
  loop.spawn(function() run:execute() end)
  assert(all:wait(300))
  loop.sleep(SETTLE)
  assert(run:own_sessions().open == given.users)
  collectgarbage()
  collectgarbage()
  io.write(cjson.encode { before = before, after = resident_bytes() }, "\n")
  io.flush()
  os.exit(0) -- without taking thousands of connections down one by one
end

-- Bytes for each user.
local function measure(file, args, given, env)
  local child = assert(process.spawn { file = file, args = args, stdin = true, stderr = true, env = env })
  child:write(cjson.encode(given))
  child:close_stdin()
  local line = child:read_line(300)
  local err = child:read_all(10, "stderr")
  child:wait(10)
  child:close()
  local result = assert(line and cjson.decode(line), file .. " failed: " .. tostring(err))
  return (result.after - result.before) / given.users
end

local function with_cluster(users, fn)
  local cluster = assert(sim.start { nodes = 1 })
  local bytes = fn { url = cluster.urls[1], token = cluster.token, users = users, seconds = SETTLE }
  cluster:stop()
  return bytes
end

return loop.run(function()
  if os.getenv(CHILD) then return generate(cjson.decode(io.read "*a")) end
  local options = read_options(USAGE, { users = 5000 })
  local work = assert(peer_packages.install(directory))
  local ours = with_cluster(options.users, function(given)
    return measure(process.wingman_path(), { "run", arg[0] }, given, { [CHILD] = "1" })
  end)
  local theirs = with_cluster(options.users, function(given)
    return measure("node", { "--expose-gc", directory .. "/peer/idle_users.js" }, given, { NODE_PATH = work .. "/node_modules" })
  end)
  io.write(text_table.format({
    { "idle users", "generator", "resident memory each", "times less" },
    { options.users, "wingman", ("%.1f KiB"):format(ours / 1024), ("%.2f"):format(theirs / ours) },
    { options.users, "node", ("%.1f KiB"):format(theirs / 1024), "" },
  }, { heading = true, indent = "  " }))
  if options.json then
    io.write(cjson.encode { users = options.users, bytes = { wingman = ours, node = theirs }, ratios = { memory = theirs / ours } }, "\n")
  end
end)
