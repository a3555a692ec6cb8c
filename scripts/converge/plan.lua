--- What a seed stands for: the cluster, who writes and who follows, and what happens. All of it follows from the seed,
--- but for the times at which things happen.
local random = require "chaos.random"

local M = {}

local STEPS_LEAST, STEPS_MOST = 8, 16
--- Events that may wait for a connection of a v2 node, which drops the others without a word.
local EVENT_QUEUES = { 1, 4, 32, 256 }
local RELEASES = { "2.2.0", "2.2.0", "0.11", "2.2.0", "head" }
--- Steps for which a fault stays, at most.
local HOLD = 4

---@class converge.step
---@field what string        of converge.actions, or "fault"
---@field seed integer       of its own choices
---@field fault chaos.fault|nil
---@field node integer|nil   by its number
---@field hold integer|nil   steps after which the fault is undone

---@class converge.replica
---@field writer integer|nil   the writer that is one
---@field begins integer       at this step
---@field on_loss "keep"|"drop"

---@class converge.plan
---@field seed integer
---@field url string
---@field release "0.11"|"2.2.0"|"head"
---@field nodes integer
---@field writers integer
---@field replicas converge.replica[]
---@field steps converge.step[]

local function cluster_of(seed, rng)
  local release, nodes = RELEASES[seed % #RELEASES + 1], rng:pick { 1, 2, 3, 3 }
  if release == "0.11" then return ("sim://%d?dialect=0.11&seed=%d"):format(nodes, seed), release, nodes end
  local queue = rng:pick(EVENT_QUEUES)
  return ("sim://%d?release=%s&event_queue=%d&seed=%d"):format(nodes, release, queue, seed), release, nodes
end

local function replicas_of(plan, rng)
  for i = 1, rng:int(1, 3) do
    plan.replicas[i] = {
      writer = i <= plan.writers and rng:chance(0.5) and i or nil,
      begins = rng:chance(0.6) and 1 or rng:int(1, #plan.steps), on_loss = rng:pick { "keep", "drop" },
    }
  end
end

local WRITES = { "contest", "contest", "burst", "removals", "rewrite", "drain", "rest" }

local function step_of(plan, catalog, i, rng)
  local seed = rng:int(1, 2 ^ 30)
  local is_first = i == 2
  if #catalog == 0 or not is_first and not rng:chance(0.35) then return { what = rng:pick(WRITES), seed = seed } end
  -- Each fault is the first one of a seed in so many.
  local fault = is_first and catalog[math.floor(plan.seed / #RELEASES) % #catalog + 1] or rng:pick(catalog)
  return { what = "fault", seed = seed, fault = fault, node = rng:int(1, plan.nodes), hold = rng:int(1, HOLD) }
end

---@class converge.cluster
---@field url string
---@field release "0.11"|"2.2.0"|"head"
---@field nodes integer

--- The plan of a seed.
---@param seed integer
---@param catalog chaos.fault[]  may be empty
---@param there converge.cluster|nil  that is there already; nil: a simulated one of the seed's choice
---@return converge.plan
function M.of(seed, catalog, there)
  local rng = random.new(seed)
  local url, release, nodes = cluster_of(seed, rng)
  if there then url, release, nodes = there.url, there.release, there.nodes end
  local plan = {
    seed = seed, url = url, release = release, nodes = nodes, writers = rng:int(1, 4), replicas = {}, steps = {},
  }
  for i = 1, rng:int(STEPS_LEAST, STEPS_MOST) do plan.steps[i] = step_of(plan, catalog, i, rng) end
  replicas_of(plan, rng)
  return plan
end

--- In words.
---@param plan converge.plan
---@return string
function M.describe(plan)
  local words = {}
  for i, step in ipairs(plan.steps) do
    words[i] = step.fault and ("%s node-%d for %d"):format(step.fault.name, step.node, step.hold) or step.what
  end
  for i, replica in ipairs(plan.replicas) do
    words[#words + 1] = ("replica %d (%s, %s) from step %d"):format(i, replica.writer and "writer " .. replica.writer or "reader",
      replica.on_loss, replica.begins)
  end
  return ("%s, %d writers: %s"):format(plan.url, plan.writers, table.concat(words, "; "))
end

return M
