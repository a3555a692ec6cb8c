--- One schedule: a cluster, four clients that write, remove and read, one that follows, and a nemesis;
--- then everything is healed, read back and checked. All of it follows from the seed,
--- but for the times at which things happen.
local arena_module = require "chaos.arena"
local busyness = require "chaos.busyness"
local checker = require "chaos.checker"
local client_options = require "chaos.client_options"
local follower = require "chaos.follower"
local history_module = require "chaos.history"
local local_client = require "chaos.local_client"
local loop = require "wingman.loop"
local nemesis = require "chaos.nemesis"
local process_client = require "chaos.process_client"
local random = require "chaos.random"
local readback = require "chaos.readback"
local targets = require "chaos.targets"
local wingman = require "wingman"
local workload = require "chaos.workload"

local M = {}

local CLIENTS = 4
--- Seconds for a client to start; for everything to be acknowledged once all nodes are back;
--- for what the nodes still have in their hands to be applied, and their maps to agree; for a
--- real cluster to be whole. The second and the third are multiples of the patience, too.
local START_TIMEOUT, SETTLE_TIMEOUT, QUIET, WHOLE_TIMEOUT = 5, 20, 0.25, 8

--- Seconds for a replica to be equal to the nodes: an answer that was lost, and not its connection, is waited for 20 s.
local FOLLOW_TIMEOUT = 60

--- How much longer than on a quiet machine the clients wait for an answer, at most.
local PATIENCE_MOST = 64
--- Rounds times patience, so that a schedule on a busy machine comes to its end: the last rounds are
--- left out, but for the first. With a load of 28 on two cores 31 schedules of two rounds took longer than the
--- 600 s that a spec may take.
local ROUNDS_FOR_PATIENCE, ROUNDS_LEAST = 12, 1

---@class chaos.result
---@field seed integer
---@field url string
---@field plan string
---@field report chaos.report
---@field injected table<string, integer>
---@field repaired boolean     whether the state after repair was checked, too
---@field whole boolean        whether all nodes knew each other again: not so, and it is not a client's business
---@field seconds number

--- What a seed stands for: the dialect, and which fault comes first.
---@param seed integer
---@return { url: string, first: integer }
function M.of_seed(seed)
  return { url = seed % 2 == 0 and "sim://3" or "sim://3?dialect=0.11", first = math.floor(seed / 2) }
end

-- Nothing has gone wrong on purpose yet. A client that finds no node all the same has timeouts
-- that are too short for this machine: it, and those that follow, get longer ones.
local function start_local(run, name, seed)
  while true do
    local options = client_options.of(run.target, random.new(seed), run.patience)
    local client, err = local_client.start(run.history, name, options, START_TIMEOUT)
    if client then return client end
    run.patience = run.patience * 2
    assert(run.patience <= PATIENCE_MOST, err)
  end
end

local function start_clients(run)
  run.follower = follower.start(client_options.of(run.target, random.new(run.seed * 31), run.patience), run.work.own)
  local processes = nemesis.kills_clients(run.rounds) and 1 or 0
  for i = 1, CLIENTS do
    local name, seed = "c" .. i, run.seed * 31 + i
    if i <= CLIENTS - processes then
      run.arena.clients[i] = start_local(run, name, seed)
    else
      run.arena.clients[i] = process_client.start(run.history, name, { target = run.target, work = run.work, seed = seed, patience = run.patience })
    end
  end
end

local function work(run)
  local over, tasks = false, {}
  for i, client in ipairs(run.arena.clients) do
    local rng = random.new(run.seed * 7 + i)
    tasks[i] = loop.spawn(client.work, client, run.work, rng, function() return over end)
  end
  local attack = loop.spawn(nemesis.run, run.arena, run.rounds, run.patience)
  local _, err = attack:wait()
  over = true
  for _, task in ipairs(tasks) do
    local _, task_err = task:wait()
    err = err or task_err
  end
  if err then error(err, 0) end
end

-- Every node back, every operation settled where it can be, and a client that has seen
-- nothing of all this to read with.
local function settle(run)
  local cluster = run.target.cluster
  run.arena:heal()
  -- Side by side: where none can, a busy machine's patience with one after the other is longer than a spec may take.
  local tasks = {}
  for i, client in ipairs(run.arena.clients) do
    tasks[i] = loop.spawn(client.settle, client, #cluster.nodes, SETTLE_TIMEOUT * run.patience)
  end
  for _, task in ipairs(tasks) do
    local _, task_err = task:wait()
    if task_err then error(task_err, 0) end
  end
  loop.sleep(QUIET * run.target.stretch * run.patience)
  run.whole = cluster.kind == "sim" or targets.is_whole(cluster, WHOLE_TIMEOUT)
  run.reader = assert(wingman.client(client_options.reader(cluster)))
  -- On a busy machine the time that start takes at most may be over; the client goes on trying.
  local _, err = run.reader:start()
  local is_ready = loop.wait_until(function()
    local has_map = run.reader:is_routing_active() or not run.whole -- nodes that are alone have no map, and can be read all the same
    return has_map and #run.reader:connected_nodes() == #cluster.nodes
  end, SETTLE_TIMEOUT * run.patience)
  assert(is_ready, ("the reader is connected to %d of %d nodes: %s"):format(#run.reader:connected_nodes(), #cluster.nodes,
    err and err.message or "it has started"))
end

local function compare_maps(run, report)
  for _, client in ipairs(run.arena.clients) do
    if client.agrees_with and not client:agrees_with(run.reader, SETTLE_TIMEOUT * run.patience) then
      report:client("stale_map", { client = client.name }, "has other owners than a new client, %d s after all nodes were back",
        SETTLE_TIMEOUT * run.patience)
    end
  end
end

-- Whether every client could compare all of its writes.
local function repair(run, report)
  for _, client in ipairs(run.arena.clients) do
    if client.repair then
      local ok, err, unread = client:repair(run.work.own, #run.target.cluster.nodes)
      if unread then return false end
      if not ok then report:client("repair_failed", { client = client.name }, "%s", err) end
    end
  end
  checker.check_repaired(run.history, assert(readback.state(run.target.cluster, run.reader, { run.work.own })), report)
  return true
end

local function read_and_check(run)
  local cluster = run.target.cluster
  local state = assert(readback.state(cluster, run.reader, { run.work.own, run.work.shared }))
  for _, client in ipairs(run.arena.clients) do client:finish() end
  run.history.arrivals = readback.arrivals(cluster)
  run.report = checker.check(run.history, state)
  if not run.whole then return end
  compare_maps(run, run.report)
  run.follower:check(run, run.report, FOLLOW_TIMEOUT * run.patience)
  -- What two nodes have forgotten one after the other nobody can know.
  run.repaired = run.arena.losses <= 1 and repair(run, run.report)
end

local function clean_up(run)
  for _, client in ipairs(run.arena.clients) do client:close() end
  if run.reader then run.reader:close() end
  if run.follower then run.follower:close() end
  run.arena:heal()
  run.target.release()
end

-- How many rounds of the target's there is time for.
local function rounds_of(target, patience)
  return math.min(target.rounds, math.max(ROUNDS_LEAST, math.floor(ROUNDS_FOR_PATIENCE / patience)))
end

--- Runs the schedule of a seed. Waits. Raises when the machinery itself fails.
---@param seed integer
---@param target chaos.target
---@return chaos.result
function M.run(seed, target)
  local begun, ids, patience = loop.now(), {}, busyness.factor()
  for i, node in ipairs(target.cluster.nodes) do ids[i] = node.id end
  local run = {
    seed = seed, target = target, work = workload.work("chaos" .. seed, target.rest), history = history_module.new(target.cluster.dialect, ids),
    repaired = false, patience = patience,
    rounds = nemesis.plan(target.catalog, {
      rounds = rounds_of(target, patience), stretch = target.stretch, first = M.of_seed(seed).first, nodes = #ids,
    }, random.new(seed)),
  }
  run.arena = arena_module.new(target.cluster, run.history, target.proxies)
  local plan = nemesis.describe(run.rounds)
  local ok, err = xpcall(function()
    start_clients(run)
    work(run)
    settle(run)
    read_and_check(run)
  end, debug.traceback)
  clean_up(run)
  if not ok then error(("seed %d (%s): %s"):format(seed, plan, err), 0) end
  return {
    seed = seed, url = target.url, plan = plan, report = run.report, injected = run.arena.injected, repaired = run.repaired,
    whole = run.whole, seconds = loop.now() - begun,
  }
end

--- Runs schedules on one kind of cluster: a function that runs that of a seed, and one
--- that ends what they share.
---@param url string|nil  nil: as the seeds say
---@return fun(seed: integer): chaos.result run, fun() stop
function M.runner(url)
  if not url or url:match "^sim" then
    return function(seed) return M.run(seed, assert(targets.simulated(url or M.of_seed(seed).url))) end, function() end
  end
  local real = targets.real(url)
  return function(seed) return M.run(seed, assert(real:acquire())) end, function() real:stop() end
end

return M
