--- Faults after a plan that follows from the seed: each round one fault, or two that
--- overlap, at nodes of its choice.
local faults_module = require "chaos.faults"
local loop = require "wingman.loop"
local random = require "chaos.random"

local M = {}

--- How often a round also kills a client.
local CLIENT_KILL = 0.12
--- Seconds that faults last (every second time long enough for heartbeats and
--- acknowledgements to time out), until the second one of a pair, and between rounds.
local HOLD_LEAST, HOLD_SHORT, HOLD_LONG = 0.04, 0.15, 0.5
local AFTER_MOST, REST_MOST = 0.1, 0.08

---@class chaos.planned_fault
---@field fault chaos.fault
---@field node integer   by its number
---@field after number   seconds from the round's begin
---@field seed integer   of its own choices

---@class chaos.round
---@field faults chaos.planned_fault[]
---@field hold number
---@field rest number

local function planned(fault, nodes, rng)
  return { fault = fault, node = rng:int(1, nodes), after = rng:float() * AFTER_MOST, seed = rng:int(1, 2 ^ 30) }
end

--- What happens in a schedule. The first round is one fault alone, the `first`-th of
--- the list, the others are pairs and single ones at random.
---@param catalog chaos.fault[]
---@param options { rounds: integer, first: integer, nodes: integer, stretch: number|nil }
---@param rng chaos.random
---@return chaos.round[]
function M.plan(catalog, options, rng)
  local rounds, stretch = {}, options.stretch or 1
  for i = 1, options.rounds do
    local faults = {}
    if i == 1 then
      faults[1] = planned(catalog[options.first % #catalog + 1], options.nodes, rng)
    else
      faults[1] = planned(rng:pick(catalog), options.nodes, rng)
      if rng:chance(0.75) then faults[2] = planned(rng:pick(catalog), options.nodes, rng) end
      if rng:chance(CLIENT_KILL) then faults[#faults + 1] = planned(faults_module.client_killed, options.nodes, rng) end
    end
    rounds[i] = {
      faults = faults, hold = stretch * (HOLD_LEAST + rng:float() * (rng:pick { HOLD_SHORT, HOLD_LONG } - HOLD_LEAST)),
      rest = stretch * rng:float() * REST_MOST,
    }
  end
  return rounds
end

--- Whether a plan kills clients: one then has to be a process.
function M.kills_clients(rounds)
  for _, round in ipairs(rounds) do
    for _, f in ipairs(round.faults) do
      if f.fault == faults_module.client_killed then return true end
    end
  end
  return false
end

--- A plan in words: "kill node-2; pause node-1 + reset node-3; ...".
---@param rounds chaos.round[]
function M.describe(rounds)
  local parts = {}
  for i, round in ipairs(rounds) do
    local names = {}
    for k, f in ipairs(round.faults) do names[k] = f.fault == faults_module.client_killed and f.fault.name or ("%s node-%d"):format(f.fault.name, f.node) end
    parts[i] = table.concat(names, " + ")
  end
  return table.concat(parts, "; ")
end

local function apply(arena, planned_fault)
  local fault = planned_fault.fault
  local undo = fault.apply(arena, "node-" .. planned_fault.node, random.new(planned_fault.seed))
  arena.injected[fault.name] = (arena.injected[fault.name] or 0) + 1
  return undo
end

--- Runs a plan. Waits until it is over; whatever a round does it undoes.
---@param arena chaos.arena
---@param rounds chaos.round[]
---@param patience number  of the clients: a fault that outlasts their timeouts is to outlast longer ones
function M.run(arena, rounds, patience)
  for _, round in ipairs(rounds) do
    local undo = {}
    for _, planned_fault in ipairs(round.faults) do
      loop.sleep(planned_fault.after)
      undo[#undo + 1] = apply(arena, planned_fault)
    end
    loop.sleep(round.hold * patience)
    for _, undo_one in ipairs(undo) do undo_one() end
    loop.sleep(round.rest)
  end
end

return M
