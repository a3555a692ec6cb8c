--- One schedule: a cluster, writers and replicas, and faults; then everything is healed, and each replica is compared
--- with what the nodes hold.
local arena_module = require "chaos.arena"
local busyness = require "chaos.busyness"
local client_options = require "chaos.client_options"
local compare = require "converge.compare"
local faults = require "chaos.faults"
local loop = require "wingman.loop"
local plan_module = require "converge.plan"
local random = require "chaos.random"
local targets = require "chaos.targets"
local truth = require "converge.truth"
local wingman = require "wingman"
local writes = require "converge.writes"

local M = {}

--- Seconds after which a schedule counts as one that hangs, many times what it takes, as the machine may have much
--- else to do: for clients to be connected with every node and to agree on the owners; for what was written to be
--- acknowledged; for replicas to be equal.
local CONNECTED, DRAINED, SYNCED = 300, 300, 300
--- The same for what follows a replica that is right.
local FOLLOWED = 60
--- The same for a real cluster to be whole again; some never are, as a restarted node is not taken back.
local WHOLE = 10
--- Head in a cluster answers nothing for 5 s on a connection that subscribes, no PING either.
local HEAD_SILENCE = 8
--- Keys that are written first and never removed: a node that holds none of what it held is taken for one that came up
--- empty, and so many keys are more than chance leaves without a node.
local LASTING = 40
--- How often the nodes are read until they no longer change: what they got before a fault may be applied late.
local READINGS = 50

---@class converge.result
---@field seed integer
---@field plan string
---@field replicas integer
---@field keys integer       that the replicas had to show, added up
---@field lost integer       that replicas show on as lost, added up
---@field repairs integer    records that comparisons have found
---@field is_whole boolean    whether the nodes knew each other again; else nothing was compared: they do not agree on owners
---@field differences { replica: integer, key: string, how: string }[]
---@field seconds number

-- A schedule needs no history of what nodes did.
local NO_HISTORY = { node_ended = function() end, node_started = function() end, node_paused = function() end }

-- Keys that several writers write get another owner, and later one more: so an owner may have an older record than others.
local wander = {
  name = "wander", about = "the partitions of contested keys change their owners", apply = function(arena, _, rng)
    local cluster, ids = arena.cluster, arena:node_ids()
    local function move_all()
      for _, partition in ipairs(writes.contested_partitions(cluster.hash)) do
        local id = rng:pick(ids)
        if arena:is_up(id) then assert(cluster:move(partition, id)) end
      end
    end
    move_all()
    return move_all
  end,
}

--- The catalog without the end of client processes, as there are none, and with what only replicas notice.
local function catalog_of(all, ...)
  local left = { ... }
  for _, fault in ipairs(all) do
    if fault ~= faults.client_killed then left[#left + 1] = fault end
  end
  return left
end

-- More often than others.
M.simulated_faults, M.real_faults = catalog_of(faults.simulated, wander, wander, wander, wander), catalog_of(faults.real)

local function start_client(run)
  local target = run.target
  local client = assert(wingman.client {
    cluster = { seeds = target.urls }, endpoint = target.proxies and "seeds" or "auto",
    auth = { token = client_options.token_function(target.cluster.secret) },
    reconnect = function() return 0.05 end,
    heartbeat = { interval = 0.25, timeout = (run.plan.release == "head" and HEAD_SILENCE or 2) * run.patience },
    batch = { ack_timeout = run.patience }, connect_timeout = 1.5 * run.patience, auth_timeout = 1.5 * run.patience,
    circuit = "never", log_to = function() end,
  })
  run.clients[#run.clients + 1] = client
  client:start() -- while no node can be reached it goes on trying
  return client
end

-- Follows: what a watch is told is kept, and whatever the map shows at the end has to be in it.
local function begin_replica(run, i)
  local planned = run.plan.replicas[i]
  local map = planned.writer and run.writers[planned.writer] or start_client(run):map(run.name)
  local replica = { map = map, is_writer = planned.writer ~= nil, told = {} }
  map:replicate { on_loss = planned.on_loss }
  map:watch(nil, function(key, value) replica.told[key] = value ~= nil and truth.canonical(value) or nil end)
  run.replicas[i] = replica
  if run.follow then run.follow.begin(map) end
end

local function begin(target, plan, follow)
  local run = {
    target = target, plan = plan, follow = follow, name = ("m%d"):format(plan.seed), is_v2 = plan.release ~= "0.11", clients = {}, writers = {},
    replicas = {}, patience = busyness.factor(), arena = arena_module.new(target.cluster, NO_HISTORY, target.proxies), undo = {},
  }
  for i = 1, plan.writers do run.writers[i] = start_client(run):map(run.name) end
  for i = 1, LASTING do assert(run.writers[1]:set("l" .. i, i)) end
  return run
end

local function strike(run, step, i)
  local undo = step.fault.apply(run.arena, "node-" .. step.node, random.new(step.seed))
  if undo then run.undo[#run.undo + 1] = { at = i + step.hold, fn = undo } end
end

local function undo_due(run, i)
  for k = #run.undo, 1, -1 do
    if run.undo[k].at <= i then table.remove(run.undo, k).fn() end
  end
end

local function take_steps(run)
  for i, step in ipairs(run.plan.steps) do
    for k, replica in ipairs(run.plan.replicas) do
      if replica.begins == i then begin_replica(run, k) end
    end
    undo_due(run, i)
    if step.what == "fault" then strike(run, step, i) else writes[step.what](run, random.new(step.seed)) end
    loop.sleep(0.005 * run.target.stretch)
    for _, replica in pairs(run.follow and run.follow.step and run.replicas or {}) do run.follow.step(replica.map) end
  end
  for k in ipairs(run.plan.replicas) do
    if not run.replicas[k] then begin_replica(run, k) end
  end
end

local function await(what, seconds, is_so)
  local shown
  local ok = loop.wait_until(function()
    local so, seen = is_so()
    shown = seen
    return so
  end, seconds)
  assert(ok, ("%s: not within %d s: %s"):format(what, seconds, tostring(shown)))
end

-- A lone node sends no map, or one that names only itself.
local function owners_of(run, client)
  local map = run.plan.nodes > 1 and client:partition_map()
  return map and table.concat(map.owners, " ") or "none"
end

-- Everything is acknowledged, and the clients know who owns what.
local function settle(run)
  run.observer = start_client(run)
  local nodes = #run.target.cluster.nodes
  for i, client in ipairs(run.clients) do
    await(("client %d is connected with every node"):format(i), CONNECTED, function()
      return #client:connected_nodes() == nodes, table.concat(client:connected_nodes(), " ")
    end)
  end
  for _, map in ipairs(run.writers) do assert(map.client:drain(DRAINED)) end
  for i, client in ipairs(run.clients) do
    await(("client %d agrees on the owners"):format(i), CONNECTED, function()
      return owners_of(run, client) == owners_of(run, run.observer)
    end)
  end
end

local function read(run)
  local holdings = truth.holdings(run.target.cluster, run.observer, run.name)
  local map = run.observer:partition_map()
  local function owner_of(key) return map and map.owners[run.observer:partition_of(key) + 1] end
  return holdings, truth.shown(holdings, owner_of, run.is_v2)
end

local function keep(result, i, differences)
  for key, how in pairs(differences) do
    result.differences[#result.differences + 1] = { replica = i, key = key, how = how }
  end
end

-- What the core says of the comparison with each node, for finding out why it does not end.
local function comparisons(map)
  local words = {}
  for _, node in ipairs(map.client.provider:nodes()) do
    local state, is_new, _, requests, compares, walks, refused, records = map.core_map:replica_node(node.index)
    words[#words + 1] = ("%s %s%s: %s requests, %s comparisons, %s walks, %s refused, %s records"):format(node.id, is_new and "new, " or "", state,
      requests, compares, walks, refused, records)
  end
  return table.concat(words, "; ")
end

local function synchronize(run)
  for i, replica in ipairs(run.replicas) do
    local ok, err = replica.map:synced(SYNCED)
    assert(ok, err and ("replica %d: %s; %s"):format(i, err.message, comparisons(replica.map)))
    await(("replica %d has told everything"):format(i), SYNCED, function()
      local behind = replica.map.copy:status().behind
      return behind == 0, behind
    end)
  end
end

-- What the script has over a replica that is right: its values are what it has to show.
local function check_follower(run, i, expected)
  if not run.follow then return end
  local map, records = run.replicas[i].map, {}
  for key in pairs(expected) do records[key] = { value = map:get(key) } end
  await(("what follows replica %d is right"):format(i), FOLLOWED, function()
    local wrong = run.follow.wrong(map, records, compare.lost_keys(map))
    return not wrong, wrong
  end)
end

-- `synced` promises that a replica is equal then: it is compared once, while the nodes did not change.
local function check(run, result)
  for _ = 1, READINGS do
    local before, owners = read(run), owners_of(run, run.observer)
    synchronize(run)
    local after, expected = read(run)
    local is_quiet = truth.is_same(before, after) and owners_of(run, run.observer) == owners
    for _, client in ipairs(run.clients) do is_quiet = is_quiet and owners_of(run, client) == owners end
    if is_quiet then
      for i, replica in ipairs(run.replicas) do
        local may_have_lost = run.arena.losses > 0 and run.plan.release ~= "head" and run.plan.replicas[i].on_loss == "keep"
        local differences, lost = compare.run(replica.map, expected, { is_real = run.target.cluster.kind ~= "sim", may_have_lost = may_have_lost })
        keep(result, i, differences)
        if not replica.is_writer then keep(result, i, compare.told(replica.map, replica.told)) end
        result.lost, result.repairs = result.lost + lost, result.repairs + replica.map.copy:status().repairs
        for _ in pairs(expected) do result.keys = result.keys + 1 end
        if not next(differences) then check_follower(run, i, expected) end
      end
      return
    end
    loop.sleep(0.1)
  end
  error("the nodes do not come to rest", 0)
end

local function play(run, result)
  take_steps(run)
  run.arena:heal()
  result.is_whole = run.target.cluster.kind == "sim" or targets.is_whole(run.target.cluster, WHOLE)
  if not result.is_whole then return end
  settle(run)
  check(run, result)
end

local function close(run)
  for _, client in ipairs(run.clients) do client:close() end
  run.clients = {}
end

---@class converge.follow
---@field begin fun(map: wingman.map)  called with each replica when it begins
---@field step nil|fun(map: wingman.map)  called with each replica after each step
---@field wrong fun(map: wingman.map, expected: table<string, { value: any }>, lost: table<string, boolean>): string|nil
---  called at the end, with what the replica shows and the keys that it shows as lost: what is wrong

--- Runs the schedule of a seed on a target. Raises when it cannot be run to its end, which counts as a failure, too.
---@param target chaos.target
---@param plan converge.plan
---@param follow converge.follow|nil  what runs over each replica besides
---@return converge.result
function M.on(target, plan, follow)
  local began = loop.now()
  local result = { seed = plan.seed, plan = plan_module.describe(plan), replicas = #plan.replicas, keys = 0, lost = 0, repairs = 0, differences = {} }
  local run = begin(target, plan, follow)
  local ok, err = pcall(play, run, result)
  close(run)
  result.seconds = loop.now() - began
  if not ok then error(("seed %d: %s\n  %s"):format(plan.seed, tostring(err), result.plan), 0) end
  return result
end

local function on_simulated(seed)
  local plan = plan_module.of(seed, M.simulated_faults)
  local target = assert(targets.simulated(plan.url))
  local ok, result = pcall(M.on, target, plan)
  target.release()
  if not ok then error(result, 0) end
  return result
end

--- A function that runs the schedule of a seed, and one that ends what it has started.
---@param url string|nil  topgun://3; nil: a simulated cluster of the seed's choice for each
---@return fun(seed: integer): converge.result run, fun() finish
function M.runner(url)
  if not url then return on_simulated, function() end end
  local real, there = targets.real(url), { url = url, release = "2.2.0", nodes = 3 }
  local function run(seed) return M.on(assert(real:acquire()), plan_module.of(seed, M.real_faults, there)) end
  return run, function() real:stop() end
end

return M
