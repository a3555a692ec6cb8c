--- What goes wrong during a run, by plan: faults of a cluster that the run has started
--- (sim://, topgun://), commands for a real one, and steering of the run itself.
local check_options = require("wingman.options.check").check
local duration = require "wingman.base.duration"
local loop = require "wingman.loop"
local process = require "wingman.loop.process"
local script_traceback = require "wingman.base.script_traceback"
local steering = require "wingman.load.control.steering"

local M = {}

--- Seconds that a command may take.
local COMMAND_TIMEOUT = 300

-- Orders to a node of an embedded cluster, by the name of the step's field.
local orders = { kill = "kill", restart = "restart", pause = "pause", resume = "resume", stop = "stop_node" }

local function action_of(step, what)
  local found
  for _, name in ipairs { "kill", "restart", "pause", "resume", "stop", "fault", "move", "run", "call", "rate", "vus" } do
    if step[name] ~= nil then
      if found then error(("%s: one of %s and %s, not both"):format(what, found, name), 0) end
      found = name
    end
  end
  if found then return found end
  error(what .. ": what is to happen? kill, restart, pause, resume, stop, fault, move, run, call, rate or vus", 0)
end

--- What a step may hold: a time, what happens, and to what.
---@type table<string, wingman.option_rule>
M.options = {
  at = { type = "duration", required = true, min = 0, about = "when, after the start of the test" },
  kill = { type = "string", about = "a node that is killed" },
  restart = { type = "string", about = "a node that is started again" },
  pause = { type = "string", about = "a node that is paused (SIGSTOP)" },
  resume = { type = "string", about = "a paused node that goes on" },
  stop = { type = "string", about = "a node that is shut down gracefully" },
  fault = { type = "string", about = "sim:// only: a fault of the simulated cluster, at `node` with `args`" },
  move = { type = "number", about = "sim:// only: a partition, which moves `to` a node" },
  run = { type = "string", about = "a shell command; the variable WINGMAN_NODE is `node`" },
  call = { type = "function", about = "fn(steering), which is called" },
  rate = { type = "number", about = "iterations per second from now on, of `scenario` or all" },
  vus = { type = "number", about = "users from now on, of `scenario` or all" },
  node = { type = "string", about = "a node id, owner-of:KEY, last, any; for fault also all" },
  args = { type = "table", about = "arguments of the fault" },
  to = { type = "string", about = "the node that the partition moves to" },
  scenario = { type = "string", about = "the scenario that rate and vus are for" },
}

-- Numbers that the run would refuse when their time comes.
local checks = { rate = steering.check_rate, vus = steering.check_vus }

local function check_step(step, what, scenarios)
  local checked = check_options(M.options, step, what, 0)
  local action = action_of(step, what)
  if action == "fault" and not step.node then error(what .. ": fault needs node = \"node-1\"", 0) end
  if action == "move" and not step.to then error(what .. ": move needs to = \"node-1\"", 0) end
  if checks[action] then
    local ok, err = checks[action](step[action])
    if not ok then error(("%s: %s"):format(what, err), 0) end
  end
  if step.scenario then
    local found = false
    for _, scenario in ipairs(scenarios) do found = found or scenario.name == step.scenario end
    if not found then error(("%s: there is no scenario '%s'"):format(what, step.scenario), 0) end
  end
  return { at = checked.at, action = action, step = step }
end

--- The steps of a test, checked, in the order of their times; those of one time as listed.
---@param given table
---@param scenarios { name: string }[]
function M.check(given, scenarios)
  local steps = {}
  for i, step in ipairs(given) do
    steps[i] = check_step(step, ("nemesis[%d]"):format(i), scenarios)
    steps[i].place = i
  end
  table.sort(steps, function(a, b)
    if a.at ~= b.at then return a.at < b.at end
    return a.place < b.place
  end)
  return steps
end

-- A node id of what a step says: an id, "owner-of:KEY", "last" (that a step touched), or
-- "any". Nil and why not.
local function target(run, text, state)
  if text == "last" then
    if state.last then return state.last end
    return nil, "no step before it touched a node"
  end
  local key = text:match "^owner%-of:(.+)$"
  if key then
    local map = run.client:partition_map()
    local owner = map and map.owners[run.client:partition_of(key) + 1]
    if owner then return owner end
    return nil, ("the owner of '%s' is not known"):format(key)
  end
  if text == "any" then
    local ids = run.client:connected_nodes()
    if #ids > 0 then return ids[run.rng:int(1, #ids)] end
    return nil, "no node is connected"
  end
  return text
end

local function command(text, node)
  local child, err = process.spawn {
    file = "/bin/sh", args = { "-c", text }, stderr = true, env = { WINGMAN_NODE = node or "" },
  }
  if not child then return nil, tostring(err) end
  local output = child:read_all(COMMAND_TIMEOUT, "stderr")
  local code, signal = child:wait(COMMAND_TIMEOUT)
  child:close()
  if code == 0 then return true end
  return nil, ("%s ended with %s%s"):format(text, signal and "signal " .. signal or "exit code " .. tostring(code),
    output and output ~= "" and ": " .. output:gsub("%s+$", ""):sub(-200) or "")
end

local function on_node(run, entry, state)
  local step, cluster = entry.step, run.client:cluster()
  local id, err = target(run, step[entry.action], state)
  if not id then return nil, err, step[entry.action] end
  if not cluster then return nil, "only a cluster that the test has started (sim://, topgun://) can do that", id end
  state.last = id
  local ok, why = cluster[orders[entry.action]](cluster, id)
  return ok, why and tostring(why), id
end

local actions = {}
for name in pairs(orders) do actions[name] = on_node end

function actions.fault(run, entry, state)
  local step, cluster = entry.step, run.client:cluster()
  local id, err = step.node == "all" and "all" or nil, nil
  if not id then id, err = target(run, step.node, state) end
  if not id then return nil, err, step.node end
  if not cluster or cluster.kind ~= "sim" then return nil, "faults need a simulated cluster (sim://)", id end
  if id ~= "all" then state.last = id end
  local ok, why = cluster:fault(id, step.fault, unpack(step.args or {}))
  return ok, why and tostring(why), id .. " " .. step.fault
end

function actions.move(run, entry, state)
  local step, cluster = entry.step, run.client:cluster()
  local id, err = target(run, step.to, state)
  if not id then return nil, err, step.to end
  if not cluster or cluster.kind ~= "sim" then return nil, "partitions move on order in a simulated cluster (sim://) only", id end
  local ok, why = cluster:move(step.move, id)
  return ok, why and tostring(why), ("partition %d to %s"):format(step.move, id)
end

function actions.run(run, entry, state)
  local id = entry.step.node and target(run, entry.step.node, state)
  local ok, err = command(entry.step.run, id)
  return ok, err, entry.step.run
end

function actions.call(run, entry)
  local ok, err = xpcall(function() return entry.step.call(run.steering) end, script_traceback.of)
  if ok then return true, nil, "the script" end
  return nil, tostring(err), "the script"
end

function actions.rate(run, entry)
  local ok, err = run.steering:rate(entry.step.rate, entry.step.scenario)
  return ok, err, ("%s to %g/s"):format(entry.step.scenario or "every scenario", entry.step.rate)
end

function actions.vus(run, entry)
  local ok, err = run.steering:vus(entry.step.vus, entry.step.scenario)
  return ok, err, ("%s to %d users"):format(entry.step.scenario or "every scenario", entry.step.vus)
end

local function perform(run, entry, state)
  local fault = { at_s = run:elapsed(), action = entry.action, target = "" }
  run:fault(fault)
  local ok, detail, what = actions[entry.action](run, entry, state)
  fault.ok, fault.target, fault.detail = ok and true or false, what or "", detail
  run:fault_done(fault)
end

-- The test was over before the time of these steps came: what they were to show was not seen.
local function miss(run, from)
  for i = from, #run.options.nemesis do
    local entry = run.options.nemesis[i]
    local fault = { at_s = run:elapsed(), action = entry.action, target = tostring(entry.step[entry.action]), ok = false,
      detail = ("it was planned for %s, and the test was over then"):format(duration.text(entry.at)) }
    run:fault(fault)
    run:fault_done(fault)
  end
end

--- Begins to keep the plan. A function that ends it: steps whose time has not come have
--- failed, unless the run was ended early.
---@param run wingman.load.run
---@return fun()
function M.start(run)
  local begun, ending = loop.now(), loop.future()
  local following = 1
  -- One after the other, so that "last" is what it seems.
  loop.spawn(function()
    local state = {}
    for i, entry in ipairs(run.options.nemesis) do
      ending:wait(math.max(0, begun + entry.at - loop.now()))
      if ending.done then return end
      following = i + 1
      perform(run, entry, state)
    end
  end)
  return function()
    ending:resolve()
    if not run.outcome then miss(run, following) end
  end
end

return M
