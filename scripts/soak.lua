--- Looks for memory leaks: connects, authenticates and closes many clients, then writes for a
--- long time with one, and compares the resident memory of this process before and after.
---
--- usage: wingman run scripts/soak.lua [--cycles N] [--seconds S] [--rate N] [--cluster URL] [--bound MB] [--json]
local wingman = require "wingman"

local cjson = require "cjson"
local cluster_url = require "wingman.client.options.cluster_url"
local embedded_cluster = require "wingman.testbed"
local interrupt = require "wingman.interrupt"
local loop = require "wingman.loop"
local text_table = require "wingman.text.table"
local usage = require "wingman.options.usage"

local USAGE = [[
usage: wingman run scripts/soak.lua [OPTIONS]

Looks for memory leaks: connects and closes many clients one after the other, then writes
with one, and reports how the resident memory grew in both parts.

  --cycles N     clients that connect, authenticate, write once and close (default 10000)
  --seconds S    length of the second part (default 60)
  --rate N       writes per second in it (default 20000)
  --cluster URL  sim://N or topgun://N (default: the variable WINGMAN_CLUSTER, or sim://3)
  --bound MB     growth of one part that counts as a leak (default 8)
  --json         print one JSON object

exit codes: 0 no leak, 1 memory grew by more than the bound or something failed, 2 usage error
]]

--- Share of each part that fills caches and pools before the first measurement.
local WARM_UP = 0.2
--- Keys that are written in turn: the local copy must not be what grows.
local KEYS = 10000
--- Seconds between two lines about the progress at a terminal.
local TELL_EVERY = 5

local RULES = {
  cycles = { type = "number", default = 10000, whole = true, min = 1 }, seconds = { type = "number", default = 60, min = 0 },
  rate = { type = "number", default = 20000, min = 1 }, bound = { type = "number", default = 8 },
  cluster = { type = "string", default = os.getenv "WINGMAN_CLUSTER" or "sim://3" }, json = { type = "boolean" },
}

local function fail(code, message)
  -- A signal closes the clients, and then what failed is no news.
  if not interrupt.is_ending() then io.stderr:write("soak: ", message, "\n") end
  os.exit(code, true)
end

local function check(options)
  local ok, wrong = cluster_url.check_embedded(options.cluster)
  return ok, not ok and "--cluster: " .. wrong or nil
end

-- Resident memory in bytes, garbage aside.
local function resident()
  collectgarbage()
  collectgarbage()
  for line in io.lines "/proc/self/status" do
    local kilobytes = line:match "^VmRSS:%s+(%d+)"
    if kilobytes then return tonumber(kilobytes) * 1024 end
  end
end

-- What a part did: how much, and the memory after the warm-up and at the end.
local function part()
  return { count = 0, began = loop.now() }
end

local function finish(result)
  result.seconds = loop.now() - result.began
  result.after = resident()
  result.growth = result.after - result.before
  return result
end

local told_at = loop.now()

local function tell(what, count)
  if loop.now() - told_at < TELL_EVERY then return end
  told_at = loop.now()
  io.stderr:write(("  %s %s, %.1f MB resident\n"):format(text_table.count(count), what, resident() / 1e6))
end

local function client_of(cluster)
  local client = wingman.client { cluster = { seeds = cluster.urls }, auth = { token = cluster.token } }
  local ok, err = client:start()
  if not ok then fail(1, "cannot connect: " .. tostring(err)) end
  return client
end

local function run_cycles(cluster, options)
  local result = part()
  for i = 1, options.cycles do
    if i == math.ceil(options.cycles * WARM_UP) then result.before = resident() end
    local client = client_of(cluster)
    local ok, err = client:wait(assert(client:map("soak"):set("cycle", i)), 30)
    if not ok then fail(1, "a write was not acknowledged: " .. tostring(err)) end
    client:close()
    result.count = i
    if not options.json then tell("cycles", i) end
  end
  return finish(result)
end

-- It begins with as many writes at once as may ever be unacknowledged, those of a second: where the
-- machine stalls later, what has to be caught up with takes no more memory than these.
local function run_writes(cluster, options)
  local client, result = client_of(cluster), part()
  local map, deadline = client:map "soak", result.began + options.seconds
  while loop.now() < deadline do
    local elapsed = loop.now() - result.began
    if not result.before and elapsed >= options.seconds * WARM_UP then result.before = resident() end
    local due = math.floor((elapsed + 1) * options.rate) - result.count
    for _ = 1, math.min(due, options.rate - client:pending_ops()) do
      result.count = result.count + 1
      assert(map:set("key-" .. result.count % KEYS, { n = result.count, name = "soak" }))
    end
    loop.sleep(0.001)
    if not options.json then tell("writes", result.count) end
  end
  local ok, err = client:drain(60)
  if not ok then fail(1, tostring(err)) end
  local stats = client:stats()
  client:close()
  result.acked = stats.ops_acked - stats.ops_repeated
  if result.acked ~= result.count then fail(1, ("%d written, %d acknowledged"):format(result.count, result.acked)) end
  return finish(result)
end

local function print_parts(parts, options)
  for _, name in ipairs { "cycles", "writes" } do
    local p = parts[name]
    if p then
      print(("%-8s %10s in %6.1f s   resident %5.1f MB -> %5.1f MB, %+.1f MB"):format(name, text_table.count(p.count), p.seconds,
        p.before / 1e6, p.after / 1e6, p.growth / 1e6))
    end
  end
  print(parts.flat and ("flat: neither grew by %g MB"):format(options.bound) or ("grew by more than %g MB"):format(options.bound))
end

local options = usage.read_script(RULES, USAGE, check)
local parts = wingman.run(function()
  local cluster, err = embedded_cluster.start(options.cluster)
  if not cluster then fail(1, tostring(err)) end
  local done = { flat = true }
  if options.cycles > 0 then done.cycles = run_cycles(cluster, options) end
  if options.seconds > 0 then done.writes = run_writes(cluster, options) end
  cluster:stop()
  for _, name in ipairs { "cycles", "writes" } do
    if done[name] and done[name].growth > options.bound * 1e6 then done.flat = false end
  end
  return done
end)
if options.json then print(cjson.encode(parts)) else print_parts(parts, options) end
return parts.flat and 0 or 1
