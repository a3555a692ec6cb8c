--- Options of a schedule's clients: quick to notice and to try again, so that much
--- happens in a second; what the seed chooses among them is what may matter. Timeouts are
--- multiples of the schedule's patience: a machine that is too busy for short ones gets longer ones.
local cjson = require "cjson"
local core = require "wingman.core"

local M = {}

local tokens = 0

--- A function that makes a new token each time it is asked.
---@param secret string  of the cluster
function M.token_function(secret)
  return function()
    tokens = tokens + 1
    local expires = math.floor(core.wall_ms() / 1000) + 3600
    return core.jwt_sign(cjson.encode { sub = "chaos", exp = expires, jti = tostring(tokens) }, secret)
  end
end

local function oplog(rng)
  local kind = rng:int(1, 5)
  if kind == 1 then return { max_ops = rng:int(30, 200), when_full = "drop_oldest" } end
  if kind == 2 then return { max_ops = rng:int(30, 200), when_full = "fail" } end
  if kind == 3 then return { max_ops = rng:int(30, 200), when_full = "pause" } end
  return {}
end

---@param target { urls: string[], cluster: { secret: string }, proxies: any }
---@param rng chaos.random
---@param patience number  1 on a quiet machine
---@return table  for wingman.client
function M.of(target, rng, patience)
  return {
    cluster = { seeds = target.urls },
    endpoint = target.proxies and "seeds" or "auto", -- never past the proxies
    auth = { token = M.token_function(target.cluster.secret) },
    reconnect = function() return 0.03 end,
    heartbeat = { interval = 0.05, timeout = 0.4 * patience },
    batch = { ack_timeout = 0.3 * patience, ops = rng:chance(0.3) and 7 or nil, in_flight = rng:chance(0.3) and 2 or nil },
    connections_per_node = rng:int(1, 2),
    connect_timeout = 0.6 * patience, auth_timeout = 0.5 * patience,
    map_requests = { debounce = 0.05, refresh = 0.3, answer_timeout = 0.2 * patience },
    circuit = rng:chance(0.5) and "never" or { failures = 3, reset = 0.1 },
    oplog = oplog(rng),
    max_message_bytes = 1024 * 1024,
    log_to = function() end,
  }
end

--- Of a client that reads what is there.
function M.reader(cluster)
  return {
    cluster = { seeds = cluster.urls }, auth = { token = M.token_function(cluster.secret) }, log_to = function() end,
  }
end

return M
