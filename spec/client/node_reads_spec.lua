--- wingman.client.node_reads at a v2 server newer than 2.2.0 with disk storage, which is played here by its
--- rules: it lists what it held at the last SYNC_INIT, has the present records in listed leaves, and is silent about
--- every other path. spec/client/owner_reads_spec.lua runs on the real one where WINGMAN_TOPGUN_SERVER names it.
local core = require "wingman.core"
local loop = require "wingman.loop"
local node_reads = require "wingman.client.node_reads"

local CONNECTION, MAP = 3, "players"

local function digits(key) return ("%03x"):format(math.floor(core.hash_fnv1a(key) / 2 ^ 20)) end

describe("a read at a server that lists a map per session", function()
  local held, listed, asked, client, node

  before_each(function()
    held, listed, asked = {}, {}, {}
    node = { id = "node-1", url = "ws://127.0.0.1:1", dialect = "v2" }
    local answers = {}

    function answers.ORMAP_DIFF_REQUEST()
      return { type = "ORMAP_DIFF_RESPONSE", payload = { mapName = MAP, coveringEpoch = 1, entries = {} } }
    end
    function answers.SYNC_INIT()
      listed = {}
      for key in pairs(held) do
        for count = 0, 3 do listed[digits(key):sub(1, count)] = true end
      end
      return { type = "SYNC_RESP_ROOT", payload = { mapName = MAP, rootHash = next(held) and 1 or 0 } }
    end
    function answers.MERKLE_REQ_BUCKET(message)
      local path = message.payload.path
      if not listed[path] then return nil end
      local payload = { mapName = MAP, path = path, buckets = {}, records = {} }
      for child in pairs(listed) do
        if #child == #path + 1 and child:sub(1, #path) == path then payload.buckets[child:sub(-1)] = 1 end
      end
      for key, value in pairs(held) do
        local record = { value = value, timestamp = { millis = 1, counter = 0, nodeId = "node-1" } }
        if digits(key) == path then payload.records[#payload.records + 1] = { key = key, record = record } end
      end
      return { type = #path == 3 and "SYNC_RESP_LEAF" or "SYNC_RESP_BUCKETS", payload = payload }
    end

    client = {
      reads = {},
      listeners = { core = { connection_info = function() return { connects = 1 } end }, trees = {}, large = {} },
      provider = {
        owner_of = function() return node end,
        requests = { request = function(_, connection_id, message, matches)
          assert.equal(CONNECTION, connection_id)
          asked[#asked + 1] = message.type
          loop.sleep(0) -- others go on meanwhile
          local answer = answers[message.type](message)
          return answer and matches(answer) and answer or nil, "timeout"
        end },
      },
    }
  end)

  -- The value; "timeout" where the server was asked what it does not answer.
  local function read(key, call)
    call = call or { client = client, map = MAP, began = loop.now(), deadline = math.huge }
    local record, err = node_reads.record({ call = call, key = key }, node, CONNECTION)
    return record and record.value or err
  end

  local function count(kind)
    local n = 0
    for _, one in ipairs(asked) do n = n + (one == kind and 1 or 0) end
    return n
  end

  it("finds a key that was there before with one SYNC_INIT for all reads, and its present value", function()
    held = { ann = 1, bob = 2 }
    assert.same({ 1, 2 }, { read "ann", read "bob" })
    held.ann = 3
    assert.equal(3, read "ann")
    assert.same({ 1, 1 }, { count "SYNC_INIT", count "ORMAP_DIFF_REQUEST" })
  end)

  it("finds a key that is new since, and knows one that is not there, with one SYNC_INIT each", function()
    assert.is_nil(read "ann")
    assert.equal(1, count "SYNC_INIT")
    held = { ann = 1 }
    assert.equal(1, read "ann")
    assert.equal(2, count "SYNC_INIT")
    assert.is_nil(read "bob")
    assert.equal(3, count "SYNC_INIT")
    held.ann = nil
    assert.is_nil(read "ann")
    assert.equal(4, count "SYNC_INIT")
  end)

  it("shares a SYNC_INIT among the absent keys of one call, and never asks for what is not listed any more", function()
    held = { ann = 1 }
    assert.equal(1, read "ann")
    local call, tasks = { client = client, map = MAP, began = loop.now(), deadline = math.huge }, {}
    for i = 1, 30 do
      tasks[i] = loop.spawn(function()
        if i == 10 then held.ann = nil end
        return { read(i % 2 == 0 and "ann" or "absent-" .. i, call) }
      end)
    end
    for i, task in ipairs(tasks) do
      local value = assert(task:wait(60))[1]
      assert.are_not.equal("timeout", value)
      if i % 2 == 1 then assert.is_nil(value) end
    end
    assert.equal(2, count "SYNC_INIT")
  end)

  it("does not ask a node that the key has moved away from", function()
    client.provider.owner_of = function() return { id = "node-2" } end
    assert.equal(node_reads.MOVED, read "ann")
    assert.same({}, asked)
  end)
end)
