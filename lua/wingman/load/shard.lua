--- Which part of a run this process is, by --shard or by the environment of a job scheduler.
local M = {}

-- Each gives index and count as texts, or nothing. What is closest to the process comes
-- first: a rank of MPI may live in a task of an array.
local schedulers = {
  { "Open MPI", function(env) return env "OMPI_COMM_WORLD_RANK", env "OMPI_COMM_WORLD_SIZE" end },
  { "PMI (MPICH, Intel MPI)", function(env) return env "PMI_RANK", env "PMI_SIZE" end },
  { "a Slurm array", function(env)
    local id, first, step = tonumber(env "SLURM_ARRAY_TASK_ID"), tonumber(env "SLURM_ARRAY_TASK_MIN"), tonumber(env "SLURM_ARRAY_TASK_STEP")
    if not id then return end
    return (id - (first or 0)) / (step or 1), env "SLURM_ARRAY_TASK_COUNT"
  end },
  { "a Slurm step", function(env)
    if (tonumber(env "SLURM_STEP_NUM_TASKS") or 1) > 1 then return env "SLURM_PROCID", env "SLURM_STEP_NUM_TASKS" end
  end },
  -- Kubernetes gives the index of a pod and not their number.
  { "a Kubernetes indexed job", function(env) return env "JOB_COMPLETION_INDEX", env "WINGMAN_SHARDS" end, "WINGMAN_SHARDS" },
}

--- The shard that the environment speaks of; nil when it speaks of none, and nil, err when
--- it does not say all.
---@param env fun(name: string): string|nil
---@return { index: integer, count: integer, source: string }|nil, string|nil err
function M.find(env)
  for _, scheduler in ipairs(schedulers) do
    local name, read, needed = scheduler[1], scheduler[2], scheduler[3]
    local index, count = read(env)
    if index ~= nil then
      if count == nil and needed then
        return nil, ("%s has the index %s and not the number of shards: set %s, or give --shard I/N"):format(name, index, needed)
      end
      index, count = tonumber(index), tonumber(count)
      local whole = index and count and index % 1 == 0 and count % 1 == 0
      if not whole or index < 0 or index >= count then
        return nil, ("%s: '%s of %s' is no shard; give --shard I/N"):format(name, tostring(index), tostring(count))
      end
      return { index = index, count = count, source = name }
    end
  end
end

--- Whether this process is a rank of MPI, which ends with the others when one of them fails.
---@param env fun(name: string): string|nil
---@return boolean
function M.is_rank(env) return (env "OMPI_COMM_WORLD_RANK" or env "PMI_RANK") ~= nil end

--- Whether there are more shards than this one: then only all of them together are judged.
---@param shard { index: integer, count: integer }
---@return boolean
function M.is_part(shard) return shard.count > 1 end

return M
