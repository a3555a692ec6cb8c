--- What can go wrong: each fault by its name, with what it is applied to. `apply`
--- gives a function that undoes it, or nothing when it is over at once.
local core = require "wingman.core"

local M = {}

---@class chaos.fault
---@field name string
---@field about string
---@field loses_memory boolean|nil  servers forget what they acknowledged
---@field apply fun(arena: chaos.arena, id: string, rng: chaos.random): function|nil

local function clear(arena, id, name) return function() arena:fault(id, name, 0) end end

local function flag(name, about, and_reset)
  return {
    name = name, about = about, apply = function(arena, id)
      arena:fault(id, name, true)
      if and_reset then arena:fault(id, "reset") end
      return clear(arena, id, name)
    end,
  }
end

local function once(name, about, ...)
  local args = { ... }
  return { name = name, about = about, apply = function(arena, id) arena:fault(id, name, unpack(args)) end }
end

local function halted(name, by, about)
  return {
    name = name, about = about, loses_memory = true, apply = function(arena, id)
      if arena:halt(id, by) then return function() arena:restart(id) end end
    end,
  }
end

local paused = {
  name = "pause", about = "SIGSTOP, later SIGCONT", apply = function(arena, id)
    if arena:pause(id) then return function() arena:resume(id) end end
  end,
}

local function refused(code)
  return {
    name = "error " .. code, about = "the next batches are refused", apply = function(arena, id, rng)
      arena:fault(id, "error", code, rng:int(1, 3))
    end,
  }
end

-- Acknowledgements that answer nothing: of ids that are numbers, as a v2 server sends
-- them, of another client's operation, of none.
local function unmatched_acks(arena, id, rng)
  for _, last in ipairs { ("%d"):format(rng:int(1, 50)), "unknown", "zzzzzzzz-000000001.00" } do
    local bytes = core.encode { type = "OP_ACK", payload = { lastId = last } }
    local hex = bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end)
    assert(arena.cluster:command(("send %s binary %s"):format(id, hex)))
  end
end

M.client_killed = {
  name = "client kill", about = "SIGKILL of a client process, which comes back with its op log's file",
  apply = function(arena)
    for _, client in ipairs(arena.clients) do
      if client.kill then client:kill() end
    end
  end,
}

--- Of the simulated cluster.
---@type chaos.fault[]
M.simulated = {
  halted("kill", "kill", "the node dies: RST, its memory is gone"),
  halted("stop", "stop_node", "the node stops in good order, its memory is gone"),
  paused,
  flag("refuse", "nothing listens", true),
  flag("silent", "accepts, and says nothing", true),
  flag("no-auth-ack", "does not answer AUTH", true),
  flag("mute", "takes everything, and sends nothing more"),
  once("half-open", "knows nothing of its connections any more, and says nothing"),
  once("reset", "RST of all connections"),
  once("drop", "end of all connections without a close frame"),
  { name = "cut", about = "RST after so many bytes that arrive", apply = function(arena, id, rng) arena:fault(id, "cut", rng:int(1, 3000)) end },
  { name = "cut-out", about = "end inside of a frame that leaves", apply = function(arena, id, rng) arena:fault(id, "cut-out", rng:int(1, 400)) end },
  { name = "close", about = "a close frame", apply = function(arena, id, rng) arena:fault(id, "close", rng:pick { 1001, 1002, 1011, 1012, 1013 }) end },
  { name = "auth expiry", about = "close 4001 everywhere: tokens have expired", apply = function(arena)
    assert(arena.cluster:command "expire-tokens")
  end },
  once("garbage", "a frame that is no message"),
  once("oversize", "a frame larger than the client takes", 2 * 1024 * 1024),
  { name = "ack-drop", about = "lost acknowledgements", apply = function(arena, id, rng) arena:fault(id, "ack-drop", rng:int(1, 3)) end },
  { name = "ack-duplicate", about = "doubled acknowledgements", apply = function(arena, id, rng) arena:fault(id, "ack-duplicate", rng:int(1, 9)) end },
  { name = "ack-unmatched", about = "acknowledgements of nothing", apply = unmatched_acks },
  { name = "slow", about = "late acknowledgements", apply = function(arena, id, rng)
    arena:fault(id, "ack-delay", rng:int(5, 60))
    return clear(arena, id, "ack-delay")
  end },
  flag("reorder", "batches and acknowledgements overtake each other"),
  refused "NOT_OWNER", refused "STALE_MAP", refused "500", refused "429",
  flag("map-withhold", "no maps"),
  flag("map-stale", "old maps"),
  { name = "map-version", about = "the node counts its map's versions from elsewhere", apply = function(arena, id, rng)
    arena:fault(id, "map-version", rng:int(1, 60))
  end },
  { name = "move", about = "partitions change their owner in the middle of batches", apply = function(arena, id, rng)
    for _ = 1, arena:is_up(id) and rng:int(1, 40) or 0 do assert(arena.cluster:move(rng:int(0, 270), id)) end
  end },
  { name = "delta", about = "changes of the map instead of maps", apply = function(arena)
    assert(arena.cluster:command "delta 1")
    return function() assert(arena.cluster:command "delta 0") end
  end },
  M.client_killed,
}

local function proxied(name, about, apply)
  return { name = name, about = about, apply = function(arena, id, rng) return apply(arena.proxies[id], rng) end }
end

--- Of real nodes, and of the connections to them.
---@type chaos.fault[]
M.real = {
  halted("kill", "kill", "SIGKILL of the node, its memory is gone"),
  halted("stop", "stop_node", "SIGTERM of the node, its memory is gone"),
  paused,
  proxied("connections cut", "the connections to a node end", function(proxy) proxy:cut() end),
  proxied("cut after bytes", "a connection ends after so many bytes", function(proxy, rng) proxy:cut_after(rng:int(1, 5000)) end),
  proxied("half-open (proxy)", "what is sent is lost, and neither side learns of it", function(proxy) proxy:abandon() end),
  proxied("refuse (proxy)", "nothing listens", function(proxy)
    proxy:refuse()
    return function() proxy:mend() end
  end),
  proxied("slow (proxy)", "answers are late", function(proxy, rng)
    proxy:set_delay(rng:float() * 0.3)
    return function() proxy:set_delay(0) end
  end),
  M.client_killed,
}

--- Each fault in words.
---@type table<string, string>
M.about = {}
for _, catalog in ipairs { M.real, M.simulated } do
  for _, fault in ipairs(catalog) do M.about[fault.name] = fault.about end
end

return M
