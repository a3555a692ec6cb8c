--- Errors that answer a batch: it is sent again, and nothing is lost.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local wingman = require "wingman"

local function set_all(map, count, value)
  for i = 1, count do assert(map:set("key-" .. i, value or i)) end
end

-- Messages as one frame, read in one turn: nothing comes between them.
local function together(...)
  local parts = { ("\0"):rep(4) }
  local function number(n) return string.char(n % 256, math.floor(n / 256), 0, 0) end
  for i, message in ipairs { ... } do
    local bytes = core.encode(message)
    parts[1], parts[i + 1] = number(i), number(#bytes) .. bytes
  end
  return core.encode { type = "BATCH", count = #parts - 1, data = wingman.bin(table.concat(parts)) }
end

local function overload(words) return { type = "ERROR", payload = { code = 429, message = words } } end

clusters.on_each(getfenv(), "an overload of v2", function(shared, it)
  for _, words in ipairs { "rate limit exceeded", "server overloaded" } do
    it("that refused another request sends no batch again whose acknowledgement follows: " .. words, function()
      local client = shared:started()
      local key = clusters.keys_of(client, "node-1", 1)[1]
      assert(shared.cluster:reset_stats())
      assert(shared.cluster:fault("node-1", "ack-drop", 1))
      local seq = assert(client:map(shared:map_name()):set(key, 1))
      local id = select(2, eventually("node-1 has the batch", function()
        client:flush()
        local ids = assert(shared.cluster:received "node-1").ids
        return ids[1], ids[1]
      end))
      assert(shared.cluster:command("send node-1 binary " .. together(overload(words), { type = "OP_ACK", payload = { lastId = id } })
        :gsub(".", function(c) return ("%02x"):format(c:byte()) end)))
      assert(client:wait(seq, 60))
      assert.same({ 0, 0 }, { client:stats().ops_resent, client:stats().unmatched_acks })
    end)

    it("that refused the batch has it sent again: " .. words, function()
      local client = shared:started()
      local key = clusters.keys_of(client, "node-1", 1)[1]
      assert(shared.cluster:fault("node-1", "error", "429", 1))
      assert(client:wait(assert(client:map(shared:map_name()):set(key, 1)), 60))
      assert.equal(1, client:stats().ops_resent)
    end)
  end
end, { "sim://3" })

describe("client, refused by a batch error,", function()
  local names = { v2 = { "NOT_OWNER", "STALE_MAP", "500", "429" }, ["0.11"] = { "NOT_OWNER", "STALE_MAP", "500", "429" } }
  for _, dialect in ipairs { "v2", "0.11" } do
    clusters.on_each(getfenv(), "recovers", function(shared, it)
      for _, name in ipairs(names[dialect]) do
        it("from " .. name, function()
          local client = shared:started { batch = { ack_timeout = 0.3 } }
          assert(shared.cluster:fault("all", "error", name, 2))
          local map_name = shared:map_name()
          set_all(client:map(map_name), 300)
          assert(client:drain(60))
          assert.equal(300, #assert(client:query(map_name)))
        end)
      end
    end, { "sim://3?dialect=" .. dialect })
  end
end)
