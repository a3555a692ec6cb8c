--- One schedule: a cluster, four clients that write, remove and read, and a nemesis;
--- then everything is healed, read back and checked. All of it follows from the seed,
--- but for the times at which things happen.
local arena_module = require "chaos.arena"
local checker = require "chaos.checker"
local client_options = require "chaos.client_options"
local embedded_cluster = require "wingman.embedded_cluster"
local faults = require "chaos.faults"
local history_module = require "chaos.history"
local local_client = require "chaos.local_client"
local loop = require "wingman.loop"
local nemesis = require "chaos.nemesis"
local process_client = require "chaos.process_client"
local random = require "chaos.random"
local readback = require "chaos.readback"
local wingman = require "wingman"
local workload = require "chaos.workload"

local M = {}

local CLIENTS, ROUNDS = 4, 5
--- Seconds for everything to be acknowledged once all nodes are back; for what the
--- nodes still have in their hands to be applied, and their maps to agree.
local SETTLE_TIMEOUT, QUIET = 20, 0.25

---@class chaos.result
---@field seed integer
---@field url string
---@field plan string
---@field report chaos.report
---@field injected table<string, integer>
---@field repaired boolean     whether the state after repair was checked, too
---@field seconds number

--- What a seed stands for: the dialect, and which fault comes first.
---@param seed integer
---@return { url: string, first: integer }
function M.of_seed(seed)
  return { url = seed % 2 == 0 and "sim://3" or "sim://3?dialect=0.11", first = math.floor(seed / 2) }
end

local function start_clients(run, rounds)
  local processes = nemesis.kills_clients(rounds) and 1 or 0
  for i = 1, CLIENTS - processes do
    local options = client_options.of(run.cluster, random.new(run.seed * 31 + i))
    run.arena.clients[i] = assert(local_client.start(run.history, "c" .. i, options))
  end
  for i = CLIENTS - processes + 1, CLIENTS do
    run.arena.clients[i] = process_client.start(run.history, "c" .. i,
      { cluster = run.cluster, urls = run.cluster.urls, maps = run.maps, seed = run.seed * 31 + i })
  end
end

local function work(run, rounds)
  local over, tasks = false, {}
  for i, client in ipairs(run.arena.clients) do
    local rng = random.new(run.seed * 7 + i)
    tasks[i] = loop.spawn(client.work, client, run.maps, rng, function() return over end)
  end
  local attack = loop.spawn(nemesis.run, run.arena, rounds)
  local ok, err = attack:wait()
  over = true
  for _, task in ipairs(tasks) do
    local _, task_err = task:wait()
    ok, err = ok, err or task_err
  end
  if err then error(err, 0) end
end

-- Every node back, every operation settled where it can be, and a client that has seen
-- nothing of all this to read with.
local function settle(run)
  run.arena:heal()
  for _, client in ipairs(run.arena.clients) do client:settle(#run.cluster.nodes, SETTLE_TIMEOUT) end
  loop.sleep(QUIET)
  run.reader = assert(wingman.client(client_options.reader(run.cluster)))
  assert(run.reader:start())
  assert(loop.wait_until(function() return #run.reader:connected_nodes() == #run.cluster.nodes end, SETTLE_TIMEOUT),
    "the cluster is not whole again")
end

-- What two nodes have forgotten one after the other nobody can know.
local function repair(run, report)
  if run.arena.losses > 1 then return nil end
  for _, client in ipairs(run.arena.clients) do
    if client.repair then
      local ok, err = client:repair(run.maps.own, #run.cluster.nodes)
      if not ok then report:client("not_repaired", { client = client.name }, "%s", err) end
    end
  end
  return assert(readback.state(run.cluster, run.reader, { run.maps.own }))
end

local function read_and_check(run)
  local state = assert(readback.state(run.cluster, run.reader, { run.maps.own, run.maps.shared }))
  for _, client in ipairs(run.arena.clients) do client:finish() end
  run.history.arrivals = readback.arrivals(run.cluster)
  local report = checker.check(run.history, state)
  for _, client in ipairs(run.arena.clients) do
    if client.agrees_with and not client:agrees_with(run.reader, SETTLE_TIMEOUT) then
      report:client("stale_map", { client = client.name }, "has other owners than a new client, %d s after all nodes were back", SETTLE_TIMEOUT)
    end
  end
  local repaired = repair(run, report)
  if repaired then checker.check_repaired(run.history, repaired, report) end
  return report, repaired ~= nil
end

--- Runs the schedule of a seed. Waits. Raises when the machinery itself fails.
---@param seed integer
---@param options { url: string|nil, cluster: table|nil, rounds: integer|nil }|nil
---@return chaos.result
function M.run(seed, options)
  options = options or {}
  local begun = loop.now()
  local plan = M.of_seed(seed)
  local url = options.url or plan.url
  local cluster = options.cluster or assert(embedded_cluster.start(url))
  local run = { seed = seed, cluster = cluster, maps = workload.maps("chaos" .. seed) }
  local ids = {}
  for i, node in ipairs(cluster.nodes) do ids[i] = node.id end
  run.history = history_module.new(cluster.dialect, ids)
  run.arena = arena_module.new(cluster, run.history)
  local rounds = nemesis.plan(faults.simulated, { rounds = options.rounds or ROUNDS, first = plan.first, nodes = #ids }, random.new(seed))
  local report, repaired
  local ok, err = xpcall(function()
    start_clients(run, rounds)
    work(run, rounds)
    settle(run)
    report, repaired = read_and_check(run)
  end, debug.traceback)
  for _, client in ipairs(run.arena.clients) do client:close() end
  if run.reader then run.reader:close() end
  if not options.cluster then cluster:stop() end
  if not ok then error(("seed %d (%s): %s"):format(seed, nemesis.describe(rounds), err), 0) end
  return {
    seed = seed, url = url, plan = nemesis.describe(rounds), report = report, injected = run.arena.injected,
    repaired = repaired, seconds = loop.now() - begun, history = run.history,
  }
end

--- Runs schedules on one kind of cluster: a function that runs that of a seed, and one
--- that ends what they share.
---@param url string|nil  nil: as the seeds say
---@return fun(seed: integer): chaos.result, fun()
function M.runner(url)
  return function(seed) return M.run(seed, { url = url }) end, function() end
end

return M
