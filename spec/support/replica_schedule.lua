--- A random schedule for replicas, made from a seed: writers and replicas, and what happens to the cluster and to
--- their connections. After it all is quiet, and every replica has to be what the nodes hold.
local checker = require "spec.support.replica_checker"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local random = require "wingman.base.random"

local M = {}

local STEPS = 25
--- Few keys, so that writers meet, and many, so that bursts are longer than the nodes' queues.
local CONTESTED, BURST = 40, 400

---@class spec.replica_schedule
---@field shared spec.shared_cluster
---@field name string
---@field writers wingman.map[]
---@field replicas wingman.map[]
---@field below fun(n: integer): integer  a random number from 1 to n
---@field killed string|nil
---@field log string[]

local function one_of(run, list) return list[run.below(#list)] end

-- A value that the families keep as it is.
local function value(run)
  local n = run.below(1e6)
  return one_of(run, { n, { n = n }, "text " .. n, false, "", { list = { n, n + 1 } } })
end

local actions = {}

function actions.contest(run)
  for _ = 1, 10 + run.below(100) do
    local map, key = one_of(run, run.writers), "c" .. run.below(CONTESTED)
    if run.below(4) == 1 then assert(map:remove(key)) else assert(map:set(key, value(run))) end
  end
end

function actions.burst(run)
  local map, from = one_of(run, run.writers), run.below(5) * BURST
  for i = from, from + run.below(BURST) do assert(map:set("b" .. i, value(run))) end
end

function actions.removals(run)
  local map, from = one_of(run, run.writers), run.below(5) * BURST
  for i = from, from + run.below(BURST) do
    if map:get("b" .. i) ~= nil then assert(map:remove("b" .. i)) end
  end
end

function actions.settle(run) assert(one_of(run, run.writers).client:drain(60)) end

function actions.rest(run) loop.sleep(run.below(30) / 1000) end

function actions.look(run)
  local ok, err = one_of(run, run.replicas):synced(run.killed and 0.1 or 60)
  assert(ok or run.killed, err)
end

-- Only simulated clusters take these.
local faults = {}

function faults.cut(run)
  run.shared.cluster:fault(one_of(run, run.shared.cluster.nodes).id, one_of(run, { "reset", "drop" }))
end

function faults.cut_all(run) run.shared.cluster:fault("all", "reset") end

function faults.pause(run)
  local id = one_of(run, run.shared.cluster.nodes).id
  if id == run.killed then return end
  assert(run.shared.cluster:pause(id))
  loop.sleep(run.below(100) / 1000)
  assert(run.shared.cluster:resume(id))
end

function faults.kill(run)
  if run.killed then return faults.restart(run) end
  run.killed = one_of(run, run.shared.cluster.nodes).id
  assert(run.shared.cluster:kill(run.killed))
end

function faults.restart(run)
  if not run.killed then return end
  assert(run.shared.cluster:restart(run.killed))
  run.killed = nil
end

local function names_of(...)
  local names = {}
  for _, some in ipairs { ... } do
    for name in pairs(some) do names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local function lost_keys(map)
  local keys, core_map = {}, map.core_map
  local position, key = core_map:replica_next_lost(0)
  while position do
    keys[key] = true
    position, key = core_map:replica_next_lost(position)
  end
  return keys
end

local function connected(shared, client)
  eventually("every node is connected", function() return #client:connected_nodes() == #shared.cluster.nodes, client:connected_nodes() end)
end

local function begin(shared, seed)
  local generator = random.new(seed, 0)
  local run = { shared = shared, name = shared:map_name(), writers = {}, replicas = {}, log = {} }
  function run.below(n) return generator:int(1, n) end
  for i = 1, run.below(4) do run.writers[i] = shared:started():map(run.name) end
  for i = 1, run.below(3) do
    -- A writer may follow, too.
    local map = run.below(2) == 1 and run.writers[i] or shared:started():map(run.name)
    map:replicate { on_loss = "keep" }
    run.replicas[i] = map
  end
  return run
end

local function assert_equal(run, follow)
  local observer = run.shared:started()
  connected(run.shared, observer)
  for i, map in ipairs(run.replicas) do
    connected(run.shared, map.client)
    local differences
    eventually(("replica %d is what the nodes hold"):format(i), function()
      local ok, err = map:synced(60)
      if not ok then return false, err end
      local expected, lost = checker.expected(observer, run.name), lost_keys(map)
      differences = checker.differences(map, expected, lost)
      if follow and not differences then differences = follow.wrong(map, expected, lost) end
      return not differences, differences
    end)
  end
end

--- Runs the schedule of a seed; raises when a replica differs at its end.
---@param shared spec.shared_cluster
---@param seed integer
---@param follow nil|{ begin: fun(map: wingman.map), step: nil|fun(map: wingman.map), wrong: fun(map: wingman.map, expected: table, lost: table): any }  what
---  runs over each replica besides, and what is wrong with it at the end; `step`, if it is there, is called with each replica
---  after each step
function M.run(shared, seed, follow)
  local run = begin(shared, seed)
  for _, map in ipairs(follow and run.replicas or {}) do follow.begin(map) end
  local names = names_of(actions, shared.is_real and {} or faults)
  for _ = 1, STEPS do
    local name = one_of(run, names)
    run.log[#run.log + 1] = name
    local ok, err = pcall(actions[name] or faults[name], run)
    if not ok then error(("seed %d, after %s: %s"):format(seed, table.concat(run.log, " "), tostring(err)), 0) end
    loop.sleep(0)
    for _, map in ipairs(follow and follow.step and run.replicas or {}) do follow.step(map) end
  end
  faults.restart(run)
  for _, map in ipairs(run.writers) do assert(map.client:drain(60)) end
  local ok, err = pcall(assert_equal, run, follow)
  if not ok then error(("seed %d, after %s: %s"):format(seed, table.concat(run.log, " "), tostring(err)), 0) end
end

return M
