--- Values of every kind that MessagePack has and the server families keep as they are.
local core = require "wingman.core"
local ffi = require "ffi"
local msgpack = require "wingman.base.msgpack"

local M = {}

local function text(rng) return ("text %d"):format(rng:int(1, 1e6)) end

local kinds = {
  function(rng) return rng:int(-2 ^ 31, 2 ^ 31) end,
  function(rng) return rng:float() * 1e6 end,
  function(rng) return rng:int(-200, 300) end,
  text,
  function() return false end,
  function() return true end,
  function() return 0 end,
  function() return "" end,
  function() return "null" end,
  function(rng) return "\u{fc}\u{20ac}\u{1f600} " .. rng:int(1, 1000) end,
  function(rng) return { n = rng:int(1, 1e6) } end,
  function(rng) return { x = rng:int(1, 100), name = text(rng), on = rng:chance(0.5) } end,
  function(rng) return { list = { 1, { deep = { text(rng), false, "" } } } } end,
  function(rng) return { nothing = core.null, n = rng:int(1, 1000) } end,
  function() return {} end,
  function() return msgpack.array {} end,
  function(rng) return msgpack.array { n = 3, rng:int(1, 9), nil, "c" } end,
  function(rng) return ("long "):rep(rng:int(1, 120)) end,
}

-- A 0.11 cluster takes none of them: its servers are JavaScript. Server 2.2.0 announces integers from 2^63 as they were
-- written, and stores them as negative ones: no replica can be right about both.
local v2_kinds = {
  function(rng) return ffi.new("int64_t", -rng:int(2 ^ 40, 2 ^ 52)) * 1000 end,
  function(rng) return ffi.new("uint64_t", rng:int(2 ^ 40, 2 ^ 52)) * 2047 end,
  function(rng) return msgpack.bin("\255\0\254" .. string.char(rng:int(0, 255), rng:int(0, 255))) end,
}

---@param rng chaos.random
---@param is_v2 boolean
---@return any
function M.random(rng, is_v2)
  if is_v2 and rng:chance(0.15) then return rng:pick(v2_kinds)(rng) end
  return rng:pick(kinds)(rng)
end

return M
